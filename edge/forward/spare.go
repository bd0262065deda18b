package forward

import (
	"errors"
	"net"
	"time"
)

// spare is a connection that waits for its first request. A server says
// nothing before it is asked, so whatever a read brings is the end of it.
type spare struct {
	conn net.Conn
	dead chan struct{} // closed when the read has ended
	err  error         // how it ended; read only after dead
}

// watch reads from the connection until it ends or is claimed.
func watch(c net.Conn) *spare {
	s := &spare{conn: c, dead: make(chan struct{})}
	go func() {
		defer close(s.dead)
		var one [1]byte
		if _, s.err = c.Read(one[:]); s.err == nil {
			s.err = errors.New("the peer spoke first")
		}
	}()
	return s
}

// claim ends the watch and reports whether the connection is alive; if not,
// it is closed.
func (s *spare) claim() bool {
	s.conn.SetReadDeadline(time.Unix(1, 0)) // long ago: the read returns at once
	<-s.dead
	e, ok := errors.AsType[net.Error](s.err)
	if ok && e.Timeout() && s.conn.SetReadDeadline(time.Time{}) == nil {
		return true
	}
	s.conn.Close()
	return false
}

// close ends the connection and the watch.
func (s *spare) close() {
	s.conn.Close()
	<-s.dead
}
