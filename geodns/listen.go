package geodns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// pause is how long a socket that failed is left alone.
const pause = 20 * time.Millisecond

// Run answers queries until ctx ends, then closes all sockets and waits for
// what it started.
func (s *Server) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, conn := range s.udp {
		running.Go(func() { s.serveUDP(ctx, conn) })
	}
	for _, l := range s.tcp {
		running.Go(func() { s.serveTCP(ctx, l) })
	}
	<-ctx.Done()
	err := s.close()
	running.Wait()
	return err
}

func (s *Server) close() error {
	var errs []error
	for _, conn := range s.udp {
		errs = append(errs, conn.Close())
	}
	for _, l := range s.tcp {
		errs = append(errs, l.Close())
	}
	s.conns.close()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("name server: close sockets: %w", err)
	}
	return nil
}

// serveUDP answers one query after the other: each takes microseconds.
func (s *Server) serveUDP(ctx context.Context, conn *net.UDPConn) {
	in, out := make([]byte, 65535), make([]byte, 0, 65535)
	for {
		n, client, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			if s.broken(ctx, "receive", err) {
				return
			}
			continue
		}
		if out = s.respond(in[:n], unmap(client), viaUDP, out); len(out) == 0 {
			continue
		}
		if _, err := conn.WriteToUDPAddrPort(out, client); err != nil {
			s.count.ioErrors.Add(1) // the client's route, or ours: it asks again
		}
	}
}

// broken judges an error of a socket: it reports whether that is for good, and
// waits a little if it is not, since whatever is short (memory, file numbers)
// is not there again at once.
func (s *Server) broken(ctx context.Context, deed string, err error) bool {
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return true
	}
	if n := s.count.ioErrors.Add(1); s.failing.due() {
		s.log.Warn("socket failed", "deed", deed, "times", n, "err", err)
	}
	select {
	case <-ctx.Done():
		return true
	case <-time.After(pause):
		return false
	}
}
