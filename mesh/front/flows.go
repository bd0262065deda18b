package front

import (
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
)

// Flows are the flows of one front.
type Flows struct {
	loop    *Loop
	closing chan struct{}
	busy    sync.WaitGroup // calls that Close waits for

	mu     sync.Mutex
	closed bool
	flows  map[*Flow]struct{}
}

// NewFlows starts what flows run on. Its owner must Close it.
func NewFlows() *Flows {
	return &Flows{
		loop:    NewLoop(max(2, runtime.GOMAXPROCS(0))),
		closing: make(chan struct{}),
		flows:   map[*Flow]struct{}{},
	}
}

// Loop is what the flows run on, listeners too.
func (s *Flows) Loop() *Loop { return s.loop }

// Closing is closed when Close begins.
func (s *Flows) Closing() <-chan struct{} { return s.closing }

// Go runs f, which must end soon after Closing; Close waits for it. After
// Close it runs nothing and returns false.
func (s *Flows) Go(f func()) bool {
	if !s.Enter() {
		return false
	}
	go func() {
		defer s.Leave()
		f()
	}()
	return true
}

// Enter makes Close wait until Leave; after Close it returns false.
func (s *Flows) Enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.busy.Add(1)
	}
	return !s.closed
}

// Leave undoes one Enter.
func (s *Flows) Leave() { s.busy.Done() }

// Add makes a flow of a connected endpoint. After Close it closes the
// endpoint and returns net.ErrClosed.
func (s *Flows) Add(ep Endpoint, local, remote netip.AddrPort) (*Flow, error) {
	f := &Flow{flows: s, ep: ep, local: local, remote: remote}
	f.Init(s.loop, f.step)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		ep.Close(true)
		return nil, net.ErrClosed
	}
	s.flows[f] = struct{}{}
	return f, nil
}

func (s *Flows) forget(f *Flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flows, f)
}

// All are the open flows, in no order.
func (s *Flows) All() []*Flow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.flows))
}

// Streams counts the open flows.
func (s *Flows) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.flows)
}

// End aborts all flows to and from an address.
func (s *Flows) End(addr netip.Addr, why error) {
	for _, f := range s.All() {
		if f.remote.Addr() == addr {
			f.Abort(why)
		}
	}
}

// Close aborts all flows with net.ErrClosed, calls quiet when nobody makes
// new ones any more, and returns when every sink has been told. It returns
// false if it was called before.
func (s *Flows) Close(quiet func()) bool {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	s.closed = true
	close(s.closing)
	for f := range s.flows {
		f.Abort(net.ErrClosed)
	}
	s.mu.Unlock()
	s.busy.Wait()
	quiet()
	s.loop.Close()
	return true
}
