package edge

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// Frames of HTTP/2 (RFC 9113, 6), their flags, settings and one error.
const (
	frameHeaders, frameReset, frameSettings, framePing = 1, 3, 4, 6

	flagAck, flagEndStream, flagEndHeaders = 1, 1, 4

	initialWindowSize = 4
	errorCancel       = 8
)

type setting struct {
	id    uint16
	value uint32
}

// framer is a client that speaks HTTP/2 frame by frame.
type framer struct {
	next    uint32
	answers chan answer
	ended   chan struct{} // closed with the connection

	mu   sync.Mutex // guards writing
	conn *tls.Conn
}

// answer is the first that the edge says about a stream: a status, or none
// if it resets it.
type answer struct {
	stream uint32
	status string
	code   uint32 // of a reset
}

// framer connects and answers every ping from then on.
func (b *bubble) framer(t *testing.T, settings ...setting) *framer {
	t.Helper()
	raw, err := b.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, &tls.Config{RootCAs: b.ca.pool, ServerName: "chat.landfall.test", NextProtos: []string{"h2"}})
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	f := &framer{conn: c, next: 1, answers: make(chan answer, 1<<10), ended: make(chan struct{})}
	var payload []byte
	for _, s := range settings {
		payload = binary.BigEndian.AppendUint16(payload, s.id)
		payload = binary.BigEndian.AppendUint32(payload, s.value)
	}
	f.write(frameSettings, 0, 0, payload)
	go f.listen()
	return f
}

// write sends one frame; the edge may have closed the connection.
func (f *framer) write(kind, flags byte, stream uint32, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	_, err := f.conn.Write(append(b, payload...))
	return err
}

func (f *framer) listen() {
	defer close(f.ended)
	names := hpack.NewDecoder(4096, nil)
	for {
		var head [9]byte
		if _, err := io.ReadFull(f.conn, head[:]); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:])>>8)
		if _, err := io.ReadFull(f.conn, payload); err != nil {
			return
		}
		stream := binary.BigEndian.Uint32(head[5:])
		switch head[3] {
		case framePing:
			if head[4]&flagAck == 0 {
				f.write(framePing, flagAck, 0, payload)
			}
		case frameHeaders:
			fields, err := names.DecodeFull(payload)
			if err != nil || len(fields) == 0 {
				return
			}
			f.answers <- answer{stream: stream, status: fields[0].Value}
		case frameReset:
			f.answers <- answer{stream: stream, code: binary.BigEndian.Uint32(payload)}
		}
	}
}

// ask sends the head of a request without a body and returns its stream.
func (f *framer) ask(fields ...string) (uint32, error) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	id := f.next
	f.next += 2
	return id, f.write(frameHeaders, flagEndStream|flagEndHeaders, id, block.Bytes())
}

// cancel takes a request back.
func (f *framer) cancel(stream uint32) error {
	return f.write(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, errorCancel))
}

// page are the fields of a plain request.
func page(path string) []string {
	return []string{":method", "GET", ":scheme", "https", ":authority", "chat.landfall.test", ":path", path}
}
