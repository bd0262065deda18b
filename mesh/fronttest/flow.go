package fronttest

import (
	"errors"
	"hash/crc64"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// echoer sends back what arrives, and holds the peer back while it cannot.
type echoer struct{ stream front.Stream }

// Data implements landfall.Sink.
func (e *echoer) Data(b []byte) int {
	n, err := e.stream.Write(b)
	if err != nil {
		return len(b)
	}
	return n
}

// EOF implements landfall.Sink.
func (e *echoer) EOF() { _ = e.stream.CloseWrite() }

// Writable implements landfall.Sink.
func (e *echoer) Writable() { e.stream.Resume() }

// Closed implements landfall.Sink.
func (e *echoer) Closed(error) {}

// echo sends random pieces to somebody who sends them back, and takes random
// pieces of that.
func echo(t *testing.T, w *world) {
	size := 16 << 20
	if testing.Short() {
		size = 1 << 20
	}
	if os.Getenv("LANDFALL_SOAK") != "" {
		size = 2 << 30
	}
	if err := w.b.Front.Listen(port, func(s front.Stream) { s.Start(&echoer{stream: s}) }); err != nil {
		t.Fatal(err)
	}
	takes, resume := rand.New(rand.NewPCG(1, 0)), make(chan struct{}, 1)
	near := newEnd(t)
	near.data = func(_ *end, b []byte) int {
		if takes.IntN(4) > 0 {
			return len(b)
		}
		select {
		case resume <- struct{}{}:
		default:
		}
		return takes.IntN(len(b))
	}
	w.dial(t, near, landfall.Normal, nil)
	done := make(chan struct{})
	var resumer sync.WaitGroup
	resumer.Go(func() {
		for {
			select {
			case <-resume:
				near.stream.Resume()
			case <-done:
				return
			}
		}
	})
	defer resumer.Wait()
	defer close(done)
	pieces, sum := rand.NewChaCha8([32]byte{1}), uint64(0)
	buf := make([]byte, 100_000)
	for left := size; left > 0; {
		piece := buf[:min(left, 1+int(pieces.Uint64()%uint64(len(buf))))]
		_, _ = pieces.Read(piece) // never fails
		near.write(t, piece)
		sum = crc64.Update(sum, table(), piece)
		left -= len(piece)
	}
	if err := near.stream.CloseWrite(); err != nil {
		t.Error(err)
	}
	if err := near.over(t, 2*patience); err != nil || near.count != size || near.sum != sum || near.eofs != 1 {
		t.Errorf("%d bytes of %d, sum %x, want %x, %d EOFs, ended by %v", near.count, size, near.sum, sum, near.eofs, err)
	}
}

func halfCloseNear(t *testing.T, w *world) {
	near, far := w.pair(t)
	halves(t, near, far)
}

func halfCloseFar(t *testing.T, w *world) {
	near, far := w.pair(t)
	halves(t, far, near)
}

// halves ends one half, sees that the other still carries, and ends it.
func halves(t *testing.T, first, second *end) {
	t.Helper()
	first.write(t, []byte("over"))
	if err := first.stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.stream.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write behind the end: %v", err)
	}
	second.until(t, "EOF", patience, func() bool { return second.eofs == 1 && string(second.got) == "over" })
	answer := make([]byte, 3<<20)
	second.write(t, answer)
	first.until(t, "answer", patience, func() bool { return first.count == len(answer) })
	if err := second.stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*end{first, second} {
		if err := e.over(t, patience); err != nil || e.eofs != 1 {
			t.Errorf("ended by %v, %d EOFs", err, e.eofs)
		}
		if err := e.stream.Close(); err != nil {
			t.Errorf("close after the end: %v", err)
		}
	}
}

// backPressure: what a sink does not take stays with the sender, but for what
// buffers hold, until it is asked for.
func backPressure(t *testing.T, w *world) {
	near, far := newEnd(t), newEnd(t)
	open := false // guarded by far.mu
	far.data = func(_ *end, b []byte) int {
		if !open {
			return min(len(b), 10)
		}
		return len(b)
	}
	w.open(t, near, far, landfall.Normal, nil)
	written := near.stuff(t, make([]byte, 64<<10))
	far.mu.Lock()
	if far.count != 10 {
		t.Errorf("%d bytes were taken, and more handed over without being asked for", far.count)
	}
	open = true
	far.mu.Unlock()
	if written > 64<<20 {
		t.Errorf("%d bytes were written to somebody who does not read", written)
	}
	far.stream.Resume()
	far.until(t, "rest", patience, func() bool { return far.count == written })
	near.until(t, "room", patience, func() bool { return near.rooms > 0 })
	near.write(t, []byte("more"))
	far.until(t, "more", patience, func() bool { return far.count == written+4 })
}

// resumeWithin asks for more while it is being given what it does not take.
func resumeWithin(t *testing.T, w *world) {
	near, far := newEnd(t), newEnd(t)
	far.data = func(e *end, b []byte) int {
		e.stream.Resume()
		return (len(b) + 1) / 2
	}
	w.open(t, near, far, landfall.Normal, nil)
	<-far.up
	near.write(t, make([]byte, 200_000))
	far.until(t, "bytes", patience, func() bool { return far.count == 200_000 })
}

// handOver: the first sink takes three bytes and hands the stream over to
// another, which hears the rest.
func handOver(t *testing.T, w *world) {
	near, far, heir := newEnd(t), newEnd(t), newEnd(t)
	far.data = func(e *end, b []byte) int {
		<-e.up
		e.stream.Start(heir)
		return 3
	}
	w.open(t, near, far, landfall.Normal, []byte("onetwo"))
	near.write(t, []byte("three"))
	if err := near.stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	heir.until(t, "rest", patience, func() bool { return string(heir.got) == "twothree" && heir.eofs == 1 })
	if err := far.stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := heir.over(t, patience); err != nil {
		t.Errorf("ended by %v", err)
	}
	far.mu.Lock()
	defer far.mu.Unlock()
	if string(far.got) != "one" || far.eofs != 0 || far.closed {
		t.Errorf("the first sink heard %q, %d EOFs, closed %v", far.got, far.eofs, far.closed)
	}
}

// hold: nobody is told anything until somebody wants to know.
func hold(t *testing.T, w *world) {
	near, far, heir := newEnd(t), newEnd(t), newEnd(t)
	held := make(chan struct{})
	far.data = func(e *end, b []byte) int {
		<-e.up
		e.stream.Start(nil)
		close(held)
		return len(b)
	}
	w.open(t, near, far, landfall.Normal, []byte("one"))
	<-held
	near.write(t, []byte("two"))
	if err := near.stream.Close(); err != nil {
		t.Fatal(err)
	}
	if err := near.over(t, patience); err != nil {
		t.Errorf("ended by %v", err)
	}
	far.stream.Start(heir)
	heir.until(t, "rest", patience, func() bool { return string(heir.got) == "two" && heir.eofs == 1 })
}

func closeDelivers(t *testing.T, w *world) {
	near, far := w.pair(t)
	const size = 200_000
	near.write(t, make([]byte, size))
	if err := near.stream.Close(); err != nil {
		t.Fatal(err)
	}
	if err := near.over(t, patience); err != nil {
		t.Errorf("closed by its owner, and told %v", err)
	}
	if _, err := near.stream.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	far.until(t, "EOF", patience, func() bool { return far.eofs == 1 })
	if far.count != size {
		t.Errorf("%d bytes of %d", far.count, size)
	}
	if err := far.stream.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := far.over(t, patience); err != nil {
		t.Errorf("ended by %v", err)
	}
}

func closeWithin(t *testing.T, w *world) {
	near, far := newEnd(t), newEnd(t)
	far.data = func(e *end, b []byte) int {
		<-e.up
		if _, err := e.stream.Write([]byte("bye")); err != nil {
			t.Error(err)
		}
		if err := e.stream.Close(); err != nil {
			t.Error(err)
		}
		return len(b)
	}
	w.open(t, near, far, landfall.Normal, []byte("hello"))
	if err := far.over(t, patience); err != nil {
		t.Errorf("closed by its owner, and told %v", err)
	}
	near.until(t, "EOF", patience, func() bool { return near.eofs == 1 && string(near.got) == "bye" })
}

func abortResets(t *testing.T, w *world) {
	near, far := w.pair(t)
	near.write(t, []byte("before"))
	far.until(t, "bytes", patience, func() bool { return far.count == 6 })
	why := errors.New("a reason")
	near.stream.Abort(why)
	if err := near.over(t, patience); err != why {
		t.Errorf("aborted, and told %v", err)
	}
	if err := far.over(t, patience); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("over there: %v", err)
	}
	if _, err := near.stream.Write([]byte("x")); err != why {
		t.Errorf("write after Abort: %v", err)
	}
	if _, err := far.stream.Write([]byte("x")); err == nil {
		t.Error("written to a stream that is over")
	}
}

// abortUnstarted: who starts a stream too late is told how it ended.
func abortUnstarted(t *testing.T, w *world) {
	accepted := make(chan front.Stream, 1)
	if err := w.b.Front.Listen(port, func(s front.Stream) { accepted <- s }); err != nil {
		t.Fatal(err)
	}
	near, far := newEnd(t), newEnd(t)
	w.dial(t, near, landfall.Normal, []byte("hello"))
	s := <-accepted
	why := errors.New("a reason")
	s.Abort(why)
	if err := near.over(t, patience); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("over there: %v", err)
	}
	far.is(s)
	s.Start(far)
	if err := far.over(t, patience); err != why {
		t.Errorf("told %v", err)
	}
}

func endPeer(t *testing.T, w *world) {
	near, far := w.pair(t)
	why := errors.New("it is gone")
	w.a.Front.End(w.a.Addr, why) // nobody's peer
	near.write(t, []byte("x"))
	far.until(t, "bytes", patience, func() bool { return far.count == 1 })
	w.a.Front.End(w.b.Addr, why)
	if err := near.over(t, patience); err != why {
		t.Errorf("ended by %v", err)
	}
	if err := far.over(t, patience); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("over there: %v", err)
	}
}

// silentPeer: with bytes under way a stream ends after about the timeout,
// with none after about twice that.
func silentPeer(t *testing.T, w *world) {
	busy, far := w.pair(t)
	idle, _ := w.pair(t)
	busy.write(t, []byte("x"))
	far.until(t, "bytes", patience, func() bool { return far.count == 1 })
	w.link.Cut(true)
	start := time.Now()
	busy.write(t, []byte("y"))
	for _, c := range []struct {
		name string
		e    *end
	}{{"busy", busy}, {"idle", idle}} {
		if err := c.e.over(t, 20*short); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("%s stream ended by %v", c.name, err)
		}
		took := time.Since(start)
		t.Logf("%s stream ended after %v", c.name, took)
		if took < short/2 {
			t.Errorf("%s stream ended after %v already", c.name, took)
		}
	}
}

// slowReader holds a writer back for longer than the timeout.
func slowReader(t *testing.T, w *world) {
	near, far := newEnd(t), newEnd(t)
	open := false // guarded by far.mu
	far.data = func(_ *end, b []byte) int {
		if !open {
			return 0
		}
		return len(b)
	}
	w.open(t, near, far, landfall.Normal, nil)
	written := near.stuff(t, make([]byte, 64<<10))
	select {
	case <-time.After(4 * short):
	case <-t.Context().Done():
	}
	far.mu.Lock()
	open = true
	far.mu.Unlock()
	far.stream.Resume()
	far.until(t, "rest", patience, func() bool { return far.count == written })
	near.write(t, []byte("more"))
	far.until(t, "more", patience, func() bool { return far.count == written+4 })
}
