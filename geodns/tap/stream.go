package tap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// What the two ends of a frame stream tell each other
// (https://farsightsec.github.io/fstrm): both say what they speak of, then
// frames go one way, and the end is confirmed.
const (
	controlAccept = 1
	controlStart  = 2
	controlStop   = 3
	controlReady  = 4
	controlFinish = 5

	fieldContent = 1
	maxControl   = 512
)

// content is what our frames hold.
const content = "protobuf:dnstap.Dnstap"

const (
	// backlog are the frames that wait while the other end is slow.
	backlog = 4096
	// patience is how long one end waits for the other.
	patience = 5 * time.Second
	// goodbye is how long the end of a stream may take.
	goodbye = time.Second
	// The time between two attempts to find a listener.
	minRetry = 200 * time.Millisecond
	maxRetry = 10 * time.Second
)

// stream sends frames to whoever listens.
type stream struct {
	network, address string
	log              *slog.Logger
	frames           chan []byte

	sent, unsent atomic.Uint64
	joined       atomic.Int64
}

func newStream(socket string, log *slog.Logger) *stream {
	s := &stream{network: "unix", address: socket, log: log, frames: make(chan []byte, backlog)}
	if _, _, err := net.SplitHostPort(socket); err == nil && !strings.Contains(socket, "/") {
		s.network = "tcp"
	}
	return s
}

// send lets frames be sent, if there is anybody to send them to.
func (s *stream) send(frames [][]byte) {
	for _, f := range frames {
		if s.joined.Load() == 0 {
			s.unsent.Add(1)
			continue
		}
		select {
		case s.frames <- f:
		default:
			s.unsent.Add(1)
		}
	}
}

// run finds a listener and sends frames to it, until ctx ends.
func (s *stream) run(ctx context.Context) {
	retry := minRetry
	for {
		began := time.Now()
		err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxRetry {
			retry = minRetry
		}
		s.log.Warn("dnstap is not taken", "remote", s.address, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
			retry = min(2*retry, maxRetry)
		}
	}
}

// session is one connection, from its beginning to its end.
func (s *stream) session(ctx context.Context) error {
	dialing, cancel := context.WithTimeout(ctx, patience)
	conn, err := new(net.Dialer).DialContext(dialing, s.network, s.address)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // fails only where reading does, too
	hurry := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = begin(conn)
	if !hurry() {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	s.log.Info("dnstap is taken", "remote", s.address)
	s.joined.Store(1)
	defer s.joined.Store(0)
	_ = conn.SetReadDeadline(time.Time{})
	gone := make(chan struct{})
	go func() { // the other end says nothing until the end, but may go
		defer close(gone)
		_, _ = readControl(conn)
	}()
	err = s.pump(ctx, conn, gone)
	if err == nil {
		_ = conn.SetDeadline(time.Now().Add(goodbye))
		_, err = conn.Write(control(controlStop, ""))
	}
	if err != nil {
		conn.Close()
	}
	<-gone
	return err
}

// begin is the handshake.
func begin(conn io.ReadWriter) error {
	if _, err := conn.Write(control(controlReady, content)); err != nil {
		return err
	}
	kind, err := readControl(conn)
	if err == nil && kind != controlAccept {
		err = fmt.Errorf("frame stream: %d in place of an acceptance", kind)
	}
	if err != nil {
		return err
	}
	_, err = conn.Write(control(controlStart, content))
	return err
}

// errGone says that the other end has ended the stream.
var errGone = errors.New("frame stream: the other end is gone")

// pump sends frames until ctx ends, and then those that still wait.
func (s *stream) pump(ctx context.Context, conn net.Conn, gone <-chan struct{}) error {
	b := bufio.NewWriter(conn)
	for {
		select {
		case <-gone:
			return errGone
		case <-ctx.Done():
			_ = conn.SetWriteDeadline(time.Now().Add(goodbye))
			if err := s.batch(b); err != nil {
				return err
			}
			return nil
		case f := <-s.frames:
			_ = conn.SetWriteDeadline(time.Now().Add(patience))
			if err := errors.Join(s.write(b, f), s.batch(b)); err != nil {
				return err
			}
		}
	}
}

// batch writes all frames that wait.
func (s *stream) batch(b *bufio.Writer) error {
	for {
		select {
		case f := <-s.frames:
			if err := s.write(b, f); err != nil {
				return err
			}
		default:
			return b.Flush()
		}
	}
}

func (s *stream) write(b *bufio.Writer, frame []byte) error {
	var size [4]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(frame)))
	_, _ = b.Write(size[:]) // the next has the same error
	if _, err := b.Write(frame); err != nil {
		s.unsent.Add(1)
		return err
	}
	s.sent.Add(1)
	return nil
}

// control is a control frame; with a content type, if it is to have one.
func control(kind uint32, content string) []byte {
	body := binary.BigEndian.AppendUint32(nil, kind)
	if content != "" {
		body = binary.BigEndian.AppendUint32(body, fieldContent)
		body = binary.BigEndian.AppendUint32(body, uint32(len(content)))
		body = append(body, content...)
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(len(body)))
	return append(b, body...)
}

// readControl reads a control frame and tells its kind. One that tells of
// contents has to tell of ours.
func readControl(r io.Reader) (kind uint32, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, fmt.Errorf("frame stream: %w", err)
	}
	size := binary.BigEndian.Uint32(head[4:])
	if binary.BigEndian.Uint32(head[:]) != 0 || size < 4 || size > maxControl {
		return 0, errors.New("frame stream: what the other end sends is no control frame")
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, fmt.Errorf("frame stream: %w", err)
	}
	kind, body = binary.BigEndian.Uint32(body), body[4:]
	if len(body) > 0 && !bytes.Contains(body, []byte(content)) {
		return 0, errors.New("frame stream: the other end does not take dnstap")
	}
	return kind, nil
}
