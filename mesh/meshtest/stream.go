package meshtest

import (
	"net"
	"sync"
	"syscall"

	"landfall"
)

// window is how much a stream holds that nobody has taken.
const window = 256 << 10

// link is a stream in memory; it guards both its ends.
type link struct {
	sync.Mutex
}

// end is one side of a link. It implements landfall.Stream; a goroutine of
// its own calls the sink and lasts until Closed.
type end struct {
	link *link
	peer *end
	news sync.Cond
	sink landfall.Sink

	in        []byte // arrived and not taken
	inEnded   bool   // the peer will send no more
	told      bool   // of the end
	reset     bool   // the peer threw away what we sent
	stalled   bool
	wantsRoom bool
	shut      bool
	closed    bool
}

func newLink() (a, b *end) {
	l := &link{}
	a, b = &end{link: l}, &end{link: l}
	a.peer, b.peer = b, a
	a.news.L, b.news.L = l, l
	return a, b
}

func (e *end) start(sink landfall.Sink) {
	e.sink = sink
	go e.run()
}

// run tells the sink what happens, one thing at a time.
func (e *end) run() {
	e.link.Lock()
	for {
		tell := e.next()
		if tell == nil {
			e.news.Wait()
			continue
		}
		e.link.Unlock()
		if over := tell(); over {
			return
		}
		e.link.Lock()
	}
}

// next finds what the sink is to be told now, if anything.
func (e *end) next() (tell func() (over bool)) {
	switch {
	case e.closed:
		return e.over(nil)
	case e.reset:
		return e.over(syscall.ECONNRESET)
	case len(e.in) > 0 && !e.stalled:
		e.stalled = true // before asking, so that no Resume is missed
		piece := e.in
		return func() bool { return e.hand(piece) }
	case e.inEnded && len(e.in) == 0 && !e.told:
		e.told = true
		return func() bool { e.sink.EOF(); return false }
	case e.told && e.shut:
		e.closed = true
		return e.over(nil)
	case e.wantsRoom && len(e.peer.in) < window:
		e.wantsRoom = false
		return func() bool { e.sink.Writable(); return false }
	}
	return nil
}

func (e *end) over(err error) func() bool {
	return func() bool { e.sink.Closed(err); return true }
}

func (e *end) hand(piece []byte) bool {
	n := e.sink.Data(piece)
	e.link.Lock()
	defer e.link.Unlock()
	if e.in = e.in[n:]; n == len(piece) {
		e.stalled = false
	}
	e.peer.news.Broadcast()
	return false
}

// Write implements landfall.Stream.
func (e *end) Write(b []byte) (int, error) {
	e.link.Lock()
	defer e.link.Unlock()
	switch {
	case e.closed || e.shut:
		return 0, net.ErrClosed
	case e.peer.closed || e.reset:
		return 0, syscall.ECONNRESET
	}
	n := min(len(b), window-len(e.peer.in))
	// Never in place: the peer may be reading what is there.
	e.peer.in = append(e.peer.in[:len(e.peer.in):len(e.peer.in)], b[:n]...)
	e.wantsRoom = e.wantsRoom || n < len(b)
	e.peer.news.Broadcast()
	return n, nil
}

// Resume implements landfall.Stream.
func (e *end) Resume() {
	e.link.Lock()
	defer e.link.Unlock()
	e.stalled = false
	e.news.Broadcast()
}

// CloseWrite implements landfall.Stream.
func (e *end) CloseWrite() error {
	e.link.Lock()
	defer e.link.Unlock()
	e.shut, e.peer.inEnded = true, true
	e.news.Broadcast()
	e.peer.news.Broadcast()
	return nil
}

// Close implements landfall.Stream. Like TCP it resets the peer if there is
// something that we have not taken.
func (e *end) Close() error {
	e.link.Lock()
	defer e.link.Unlock()
	if e.closed {
		return nil
	}
	e.closed, e.peer.inEnded = true, true
	e.peer.reset = e.peer.reset || len(e.in) > 0
	e.news.Broadcast()
	e.peer.news.Broadcast()
	return nil
}
