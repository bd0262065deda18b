package conn_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/conn"
)

// stream is a landfall.Stream whose other side is the test.
type stream struct {
	mu      sync.Mutex
	room    int
	written []byte
	resumed int
	closed  bool
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(b), s.room)
	s.room -= n
	s.written = append(s.written, b[:n]...)
	return n, nil
}
func (s *stream) Resume()           { s.mu.Lock(); s.resumed++; s.mu.Unlock() }
func (s *stream) CloseWrite() error { return nil }
func (s *stream) Close() error      { s.mu.Lock(); s.closed = true; s.mu.Unlock(); return nil }

func open(t *testing.T, room int) (*conn.Conn, *stream, landfall.Sink) {
	t.Helper()
	s := &stream{room: room}
	var sink landfall.Sink
	c, err := conn.Open(func(k landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
		sink = k
		return s, nil, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, s, sink
}

func TestOpenFailsWithItsOpener(t *testing.T) {
	why := errors.New("nobody there")
	c, err := conn.Open(func(landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) { return nil, nil, nil, why })
	if c != nil || err != why {
		t.Errorf("%v, %v", c, err)
	}
}

func TestWriteWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, sink := open(t, 3)
		written := make(chan error, 1)
		go func() {
			_, err := c.Write([]byte("landfall"))
			written <- err
		}()
		for range 2 {
			synctest.Wait()
			if len(written) > 0 {
				t.Fatal("written before there was room")
			}
			s.mu.Lock()
			s.room = 3
			s.mu.Unlock()
			sink.Writable()
		}
		if err := <-written; err != nil || string(s.written) != "landfall" {
			t.Errorf("wrote %q, %v", s.written, err)
		}
	})
}

func TestWriteDeadlineTellsHowMuchWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := open(t, 3)
		start := time.Now()
		c.SetWriteDeadline(start.Add(time.Minute))
		n, err := c.Write([]byte("landfall"))
		if n != 3 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%d, %v after %v", n, err, time.Since(start))
		}
	})
}

func TestFullBufferHoldsThePeerBack(t *testing.T) {
	c, s, sink := open(t, 0)
	big := make([]byte, 200<<10)
	taken := sink.Data(big)
	if taken == 0 || taken == len(big) {
		t.Fatalf("took %d of %d", taken, len(big))
	}
	if more := sink.Data(big); more != 0 {
		t.Fatalf("took %d more", more)
	}
	if _, err := c.Read(make([]byte, 100)); err != nil || s.resumed != 0 {
		t.Errorf("%v; asked for more %d times with an almost full buffer", err, s.resumed)
	}
	if n, err := io.ReadFull(c, make([]byte, taken-100)); err != nil || s.resumed != 1 {
		t.Errorf("read %d, %v; asked for more %d times", n, err, s.resumed)
	}
}

func TestWhatArrivedIsReadBeforeTheEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(landfall.Sink)
		want error
	}{
		{"in order", func(s landfall.Sink) { s.EOF(); s.Closed(nil) }, nil},
		{"half closed", func(s landfall.Sink) { s.EOF() }, nil},
		{"reset", func(s landfall.Sink) { s.Closed(syscall.ECONNRESET) }, syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, _, sink := open(t, 0)
			sink.Data([]byte("land"))
			sink.Data([]byte("fall"))
			c.end(sink)
			got, err := io.ReadAll(conn)
			if string(got) != "landfall" || !errors.Is(err, c.want) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestCloseWakesReaderAndWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := open(t, 0)
		results := make(chan error, 2)
		go func() { _, err := c.Read(make([]byte, 1)); results <- err }()
		go func() { _, err := c.Write([]byte("x")); results <- err }()
		synctest.Wait()
		c.Close()
		for range 2 {
			if err := <-results; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		if !s.closed {
			t.Error("the stream was not closed")
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
	})
}

// TestDeadlineIsNeverMissed lets deadlines pass just when Read begins to wait.
func TestDeadlineIsNeverMissed(t *testing.T) {
	c, err := conn.Open(func(landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
		return nil, nil, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20_000 {
			if err := c.SetReadDeadline(time.Now().Add(time.Duration(i%40) * 100)); err != nil {
				t.Error(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a read waits though its deadline has passed")
	}
}
