package tunnel

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// verdict is the one octet that home says ahead of what the upstream sends.
// An edge does not wait for it: what the client sends goes out behind the
// header at once.
type verdict byte

// The verdicts.
const (
	accepted    verdict = '+' // the upstream is connected
	unreachable verdict = '-' // it could not be
	unknown     verdict = '?' // home has no such service of kind tcp
)

// What Read returns when home has turned a stream down.
var (
	ErrUnreachable = errors.New("the upstream of the service could not be reached")
	ErrUnknown     = errors.New("the home region knows no such service of kind tcp")
	ErrSilent      = errors.New("the home region has not answered")
)

// answerTimeout bounds the wait for the verdict: home's own patience with an
// upstream, and the longest way there and back.
const answerTimeout = dialTimeout + 2*time.Second

// Open introduces a stream to a Front. The connection it returns carries what
// client and upstream say to each other; its first Read tells whether there
// is an upstream, and calls heard before that. Open closes c if it fails.
func Open(c net.Conn, h Header, heard func()) (net.Conn, error) {
	if err := introduce(c, h); err != nil {
		heard()
		Abort(c)
		return nil, err
	}
	s := &stream{Conn: c}
	s.answer = sync.OnceValue(func() error {
		defer heard()
		return s.hear()
	})
	return s, nil
}

func introduce(c net.Conn, h Header) error {
	until := time.Now().Add(answerTimeout)
	if err := c.SetDeadline(until); err != nil {
		return err
	}
	if _, err := c.Write(h.Append(nil)); err != nil {
		return err
	}
	return c.SetWriteDeadline(time.Time{})
}

// stream is a connection whose first octet is a verdict.
type stream struct {
	net.Conn
	answer func() error
}

// Read implements net.Conn.
func (s *stream) Read(b []byte) (int, error) {
	if err := s.answer(); err != nil {
		return 0, err
	}
	return s.Conn.Read(b)
}

func (s *stream) hear() error {
	var v [1]byte
	_, err := s.Conn.Read(v[:])
	switch timeout, ok := errors.AsType[net.Error](err); {
	case ok && timeout.Timeout():
		return fmt.Errorf("%w within %v: %w", ErrSilent, answerTimeout, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	switch verdict(v[0]) {
	case accepted:
		return s.Conn.SetReadDeadline(time.Time{})
	case unreachable:
		return ErrUnreachable
	case unknown:
		return ErrUnknown
	}
	return fmt.Errorf("%w in our terms (edge and home have to run the same version of Landfall)", ErrSilent)
}

// CloseWrite ends the client's half.
func (s *stream) CloseWrite() error {
	if h, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return s.Conn.Close()
}

// SetLinger is that of net.TCPConn, if the connection below has it.
func (s *stream) SetLinger(sec int) error {
	if l, ok := s.Conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(sec)
	}
	return nil
}
