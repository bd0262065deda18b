package geodns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"landfall/geodns/packet"
)

// pause is how long a socket that failed is left alone.
const pause = 20 * time.Millisecond

// Run answers queries until ctx ends, then closes all sockets, answers what it
// has read and waits for what it started. What is left in a socket stays there
// for who else has it.
func (s *Server) Run(ctx context.Context) error {
	if n := len(s.udp); n > 0 {
		// The thread of a socket keeps what Go runs goroutines on, also while
		// it waits: there is as much left for all others as there was.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
		defer func() { runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0)-n, 1)) }()
	}
	var running sync.WaitGroup
	for i, conn := range s.udp {
		running.Go(func() {
			s.serveUDP(ctx, conn, &core{s: s, place: shared + 1 + i, book: newBook(), tap: s.tap.Handle(), at: localOf(conn)})
		})
	}
	for _, l := range s.tcp {
		running.Go(func() { s.serveTCP(ctx, l, viaTCP, untouched) })
	}
	for _, l := range s.tls {
		running.Go(func() { s.serveTLS(ctx, l) })
	}
	for _, l := range s.https {
		running.Go(func() { s.serveHTTPS(ctx, l) })
	}
	running.Go(func() { s.keepCopied(ctx) })
	running.Go(func() { s.notifier.Run(ctx) })
	running.Go(func() { s.keepSigned(ctx) })
	<-ctx.Done()
	err := s.close()
	s.conns.part()
	enough := time.AfterFunc(maxParting, s.conns.close)
	running.Wait()
	if enough.Stop() {
		s.conns.close()
	}
	return err
}

func (s *Server) close() error {
	var errs []error
	for _, conn := range s.udp {
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) { // as its loop does
			errs = append(errs, err)
		}
	}
	for _, l := range slices.Concat(s.tcp, s.tls, s.https) {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("name server: close sockets: %w", err)
	}
	return nil
}

// serveUDP answers on a thread of its own, until ctx ends.
func (s *Server) serveUDP(ctx context.Context, conn *net.UDPConn, c *core) {
	loop, err := packet.New(packet.Config{Conn: conn, Handler: c.serve, Failed: s.failed})
	if err == nil {
		err = loop.Run(ctx)
	}
	if err != nil {
		s.failed("serve", err)
	}
}

// crowd is how many messages come together where there is much to do.
const crowd = 16

// serve answers what came together.
func (c *core) serve(b *packet.Batch) {
	c.turn(time.Now())
	c.busy = b.Len() >= crowd
	for i := range b.Len() {
		out := c.respond(b.Message(i), b.From(i), viaUDP, b.Room(i))
		c.observe(b.Message(i), out, b.From(i), viaUDP)
		b.Answer(i, out)
	}
	c.publish()
}

// broken judges an error of a socket: it reports whether that is for good, and
// waits a little if it is not, since whatever is short (memory, file numbers)
// is not there again at once.
func (s *Server) broken(ctx context.Context, deed string, err error) bool {
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return true
	}
	s.failed(deed, err)
	select {
	case <-ctx.Done():
		return true
	case <-time.After(pause):
		return false
	}
}

// failed hears of a socket that failed. Where an answer could not be sent, it
// is the client's route, or ours: it asks again.
func (s *Server) failed(deed string, err error) {
	if n := s.count.ioErrors.Add(1); s.failing.due() {
		s.log.Warn("socket failed", "deed", deed, "times", n, "err", err)
	}
}
