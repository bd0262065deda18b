package tunnel

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pair is both ends of a connection on loopback.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l := listen(t)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// Both ways at once, each as fast as it likes, and each to its own end.
func TestSpliceCarriesAllOfBothHalves(t *testing.T) {
	client, near := pair(t)
	far, upstream := pair(t)
	var traffic Traffic
	ended := make(chan error, 1)
	go func() { ended <- Splice(t.Context(), near, far, &traffic, nil) }()
	size := int64(64 << 20)
	if testing.Short() {
		size = 4 << 20
	}
	var all sync.WaitGroup
	for seed, way := range [][2]*net.TCPConn{{client, upstream}, {upstream, client}} {
		sent, got := sha256.New(), sha256.New()
		bytes := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{byte(seed)}), size<<seed), sent)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := io.Copy(way[0], bytes); err != nil {
				t.Error(err)
			}
			way[0].CloseWrite()
		})
		both.Go(func() {
			if n, err := io.Copy(got, way[1]); err != nil || n != size<<seed {
				t.Error(n, err)
			}
		})
		all.Go(func() {
			both.Wait()
			if string(sent.Sum(nil)) != string(got.Sum(nil)) {
				t.Errorf("way %d: what came out is not what went in", seed)
			}
		})
	}
	all.Wait()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if up, down := traffic.Up.Load(), traffic.Down.Load(); up != uint64(size) || down != uint64(2*size) {
		t.Errorf("%d up, %d down", up, down)
	}
}

// A reader that stops holds its writer back instead of filling memory.
func TestSpliceHoldsBackAFastWriter(t *testing.T) {
	client, near := pair(t)
	far, upstream := pair(t)
	var traffic Traffic
	ctx, cut := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Splice(ctx, near, far, &traffic, nil) }()
	client.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := io.Copy(client, rand.NewChaCha8([32]byte{}))
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() || n > 64<<20 {
		t.Errorf("%d octets went to a reader that does not read: %v", n, err)
	}
	why := errors.New("over")
	cut(why)
	if err := <-ended; err != why {
		t.Error(err)
	}
	upstream.Close()
}

func TestSilentStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, upstream := net.Pipe()
		began := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- Splice(t.Context(), near, far, new(Traffic), nil) }()
		time.Sleep(Idle - time.Second)
		go io.WriteString(client, "x")
		io.ReadFull(upstream, make([]byte, 1)) // begins the time anew
		if err := <-ended; err != ErrIdle || time.Since(began) != 2*Idle-time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		client.Close()
		upstream.Close()
	})
}

// halves is a pipe whose ends can end apart, as net.Pipe's cannot.
type halves struct {
	io.Reader
	*io.PipeWriter
	net.Conn
}

func (h halves) Read(b []byte) (int, error)  { return h.Reader.Read(b) }
func (h halves) Write(b []byte) (int, error) { return h.PipeWriter.Write(b) }
func (h halves) CloseWrite() error           { return h.PipeWriter.Close() }
func (h halves) Close() error {
	h.Reader.(*io.PipeReader).Close()
	return h.PipeWriter.Close()
}

func halfPipe() (a, b halves) {
	r1, w1 := io.Pipe()
	r2, w2 := io.Pipe()
	return halves{Reader: r1, PipeWriter: w2}, halves{Reader: r2, PipeWriter: w1}
}

func TestHalfAStreamEndsSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, near := halfPipe()
		far, upstream := halfPipe()
		ended := make(chan error, 1)
		go func() { ended <- Splice(t.Context(), near, far, new(Traffic), nil) }()
		client.CloseWrite()
		if _, err := upstream.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		began := time.Now()
		time.Sleep(HalfIdle - time.Second)
		go io.WriteString(upstream, "x") // the answer was long in coming
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != ErrIdle || time.Since(began) != 2*HalfIdle-time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestConnectionThatCannotHalfCloseEndsWhole(t *testing.T) {
	client, near := net.Pipe()
	far, upstream := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Splice(t.Context(), near, far, new(Traffic), nil) }()
	client.Close()
	if _, err := upstream.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSilentHomeIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edge, home := net.Pipe()
		go io.Copy(io.Discard, home)
		heard := false
		began := time.Now()
		c, err := Open(edge, Header{Host: "db.landfall.test"}, func() { heard = true })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrSilent) || !heard || time.Since(began) != answerTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		c.Close()
	})
}
