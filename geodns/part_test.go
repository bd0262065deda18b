package geodns

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// ending runs a server on pipes in a bubble, until stop.
func ending(t *testing.T, test func(t *testing.T, l *pipes, stop func(), ended <-chan error)) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s, err := New(Config{TCP: []net.Listener{l}, Atlas: testAtlas()})
		if err != nil {
			t.Fatal(err)
		}
		s.SetMap(testMap())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		test(t, l, stop, ended)
		if n := s.Stats().Conns; n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

func TestWhoIsConnectedIsAnsweredAtTheEnd(t *testing.T) {
	ending(t, func(t *testing.T, l *pipes, stop func(), ended <-chan error) {
		query := framed(t, question("chat.landfall.test", dns.TypeA))
		half, fresh, kept := l.dial(), l.dial(), l.dial()
		if _, err := half.Write(query[:9]); err != nil {
			t.Fatal(err)
		}
		if _, err := kept.Write(query); err != nil {
			t.Fatal(err)
		}
		readFramed(t, kept)
		synctest.Wait()
		began := time.Now()
		stop()
		synctest.Wait()
		if _, err := half.Write(query[9:]); err != nil {
			t.Fatal(err)
		}
		readFramed(t, half)
		time.Sleep(maxSilence / 2)
		if _, err := kept.Write(query); err == nil {
			t.Error("a connection that was kept for later is still open")
		}
		if _, err := fresh.Write(query); err != nil {
			t.Fatal(err)
		}
		readFramed(t, fresh)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > maxSilence {
			t.Errorf("the end took %v", took)
		}
	})
}

// Nobody keeps a server from ending: not who says nothing, not who does not
// listen.
func TestTheEndIsBounded(t *testing.T) {
	ending(t, func(t *testing.T, l *pipes, stop func(), ended <-chan error) {
		l.dial()
		deaf := l.dial()
		if _, err := deaf.Write(framed(t, question("chat.landfall.test", dns.TypeA))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // its answer is being written
		began := time.Now()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > maxParting {
			t.Errorf("the end took %v", took)
		}
	})
}
