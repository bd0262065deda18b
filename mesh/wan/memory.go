package wan

import (
	"container/heap"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Memory is the front for many nodes in one process: packet conns in memory
// whose datagrams travel the links between the sites where they stand. It is
// made for testing/synctest bubbles. There, whatever order the scheduler runs
// goroutines in, datagrams of one instant are taken in sorted order, and no
// two are delivered in the same nanosecond: those due together come one
// nanosecond after the other. So two runs over the same network see the same,
// as long as those who send do. Outside of bubbles it works in real time.
type Memory struct {
	wan   *Network
	start time.Time

	wake  chan struct{} // something was sent
	done  chan struct{} // closed by Close
	ended chan struct{} // closed when run has returned

	mu     sync.Mutex
	conns  map[netip.AddrPort]*MemoryConn
	nats   map[Site]*translator
	sent   []*parcel // not yet taken in
	tap    func(Record)
	trace  tracer
	port   uint16 // last one given to who asked for none
	closed bool

	queue  parcels // belongs to run, as do the next two
	held   int     // bytes in queue
	number uint64
}

// Memory makes such a front.
func (n *Network) Memory() (*Memory, error) {
	m := &Memory{
		wan:   n,
		start: time.Now(),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		ended: make(chan struct{}),
		conns: map[netip.AddrPort]*MemoryConn{},
		nats:  map[Site]*translator{},
		trace: newTracer(),
	}
	if err := n.adopt(m); err != nil {
		return nil, err
	}
	go m.run()
	return m, nil
}

// Listen binds an address at a site; port 0 is some free one. What is sent to
// an address where nobody listens is dropped, as is what arrives after Close.
func (m *Memory) Listen(at netip.AddrPort, s Site) (*MemoryConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at = unmap(at)
	if at.Port() == 0 {
		at = m.unused(at.Addr())
	}
	switch {
	case m.closed:
		return nil, fmt.Errorf("listen on %v: %w", at, net.ErrClosed)
	case m.conns[at] != nil:
		return nil, fmt.Errorf("listen on %v: address is in use", at)
	}
	c := &MemoryConn{memory: m, site: s, at: at}
	c.news.L = &c.mu
	m.conns[at] = c
	m.wan.SetSite(at, s)
	return c, nil
}

// unused is an address with a port of those that IANA leaves free for this;
// with none left, one that is in use. It is called with mu held.
func (m *Memory) unused(a netip.Addr) netip.AddrPort {
	for range ephemeral {
		m.port = (m.port + 1) % ephemeral
		if at := netip.AddrPortFrom(a, 1<<16-ephemeral+m.port); m.conns[at] == nil {
			return at
		}
	}
	return netip.AddrPortFrom(a, 1<<16-ephemeral)
}

// ephemeral is how many ports there are for those who ask for none.
const ephemeral = 1 << 14

// SetNAT puts a site behind a NAT without bindings; doing it again is a
// restart that forgets all of them.
func (m *Memory) SetNAT(s Site, n NAT) error {
	n.Public, n.Inside = n.Public.Unmap(), n.Inside.Unmap()
	if err := n.Check(); err != nil {
		return fmt.Errorf("site %s: %w", s, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nats[s] = newTranslator(n)
	m.wan.SetSite(netip.AddrPortFrom(n.Public, 0), s)
	return nil
}

// Inject sends a datagram as if from an address, which need not be bound.
func (m *Memory) Inject(from, to netip.AddrPort, tos uint8, b []byte) {
	from = unmap(from)
	site, _ := m.wan.site(from)
	m.send(site, from, unmap(to), tos, b)
}

// Tap calls f for each datagram sent, in the order of the trace, a nanosecond
// after it was sent. f must not wait, nor send.
func (m *Memory) Tap(f func(Record)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tap = f
}

// Trace is about all datagrams sent before the present instant.
func (m *Memory) Trace() Trace {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trace.trace()
}

// Close ends all conns, drops what is under way and returns when nothing runs
// any more.
func (m *Memory) Close() error {
	m.mu.Lock()
	was := m.closed
	m.closed = true
	conns := m.conns
	m.conns = map[netip.AddrPort]*MemoryConn{}
	m.mu.Unlock()
	if was {
		<-m.ended
		return fmt.Errorf("close memory network: %w", net.ErrClosed)
	}
	close(m.done)
	for at, c := range conns {
		m.wan.dropSite(at)
		c.end()
	}
	<-m.ended
	m.wan.release(m)
	return nil
}

func (m *Memory) abort() { m.Close() }

// send gives a copy of a datagram to run.
func (m *Memory) send(site Site, from, to netip.AddrPort, tos uint8, b []byte) {
	k := newParcel(b)
	k.way.from, k.from, k.src, k.to, k.tos = site, from, from, to, tos
	m.mu.Lock()
	k.sent = time.Now()
	m.sent = append(m.sent, k)
	first := len(m.sent) == 1
	m.mu.Unlock()
	if first {
		signal(m.wake)
	}
}

// run takes in what is sent and delivers what is due, until Close.
func (m *Memory) run() {
	defer close(m.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var free time.Time // when the next may be delivered
	for {
		now := time.Now()
		next := m.takeIn(now)
		if len(m.queue) > 0 && !m.queue[0].at.After(now) && !free.After(now) {
			m.deliver(heap.Pop(&m.queue).(*parcel), now)
			free = now.Add(1)
		}
		if len(m.queue) > 0 {
			if at := latest(m.queue[0].at, free); next.IsZero() || at.Before(next) {
				next = at
			}
		}
		if !m.pause(timer, next) {
			return
		}
	}
}

// pause waits until next, unless it is zero, or until something is sent; it
// returns false at the end.
func (m *Memory) pause(timer *time.Timer, next time.Time) bool {
	timer.Stop()
	if !next.IsZero() {
		timer.Reset(time.Until(next))
	}
	select {
	case <-timer.C:
		return true
	case <-m.wake:
		return true
	case <-m.done:
		return false
	}
}

// takeIn puts on their ways, in order, all that was sent before now. What is
// sent in this very instant has to wait for the next: only then is it known to
// be all. Next is when that will be; zero if there is nothing.
func (m *Memory) takeIn(now time.Time) (next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.SortStableFunc(m.sent, earlier)
	i := 0
	for ; i < len(m.sent) && m.sent[i].sent.Before(now); i++ {
		k := m.sent[i]
		r := Record{At: k.sent.Sub(m.start), From: k.from, To: k.to, TOS: k.tos, Bytes: k.b}
		m.trace.add(r)
		if m.tap != nil {
			m.tap(r)
		}
		m.dispatch(k, now)
	}
	m.sent = slices.Delete(m.sent, 0, i)
	if len(m.sent) > 0 {
		return now.Add(1)
	}
	return time.Time{}
}

// dispatch puts a parcel on its way, or drops it. It is called with mu held,
// as is address.
func (m *Memory) dispatch(k *parcel, now time.Time) {
	site, ok := m.wan.site(k.to)
	if !ok {
		m.drop(k, &m.wan.stats.strayed)
		return
	}
	k.way.to = site
	if t := m.nats[k.way.from]; t != nil && t.ours(k.to.Addr()) && (site != k.way.from || k.to.Addr() == t.Public) {
		if k.src, ok = t.leave(k.from, k.to, k.sent); !ok {
			m.drop(k, &m.wan.stats.filtered)
			return
		}
	}
	v := m.wan.path(k.way.from, site).judge(len(k.b)+overhead(k.to.Addr()), k.tos, k.sent, now)
	m.wan.stats.note(v)
	if v.fate != arrives {
		m.drop(k, nil)
		return
	}
	if v.marked {
		k.tos |= ecnMask
	}
	k.at = v.at
	for range v.copies - 1 {
		m.hold(k.clone())
	}
	m.hold(k)
}

// hold keeps a parcel until it is due.
func (m *Memory) hold(k *parcel) {
	if m.held+len(k.b) > maxHeld {
		m.drop(k, &m.wan.stats.full)
		return
	}
	k.number = m.number
	m.number++
	m.held += len(k.b)
	heap.Push(&m.queue, k)
}

// deliver hands a parcel to who listens for it.
func (m *Memory) deliver(k *parcel, now time.Time) {
	m.held -= len(k.b)
	m.wan.stats.late.add(now.Sub(k.at))
	m.mu.Lock()
	to, ok := m.address(k, now)
	c := m.conns[to]
	m.mu.Unlock()
	size := uint64(len(k.b))
	switch {
	case !ok:
		m.drop(k, &m.wan.stats.filtered)
	case c == nil:
		m.drop(k, &m.wan.stats.strayed)
	case !c.put(k):
		m.drop(k, &m.wan.stats.full)
	default:
		m.wan.stats.sent.Add(1)
		m.wan.stats.bytes.Add(size)
	}
}

// address is where a parcel goes at last; a NAT may not let it in.
func (m *Memory) address(k *parcel, now time.Time) (netip.AddrPort, bool) {
	t := m.nats[k.way.to]
	switch {
	case t == nil || !t.ours(k.to.Addr()):
		return k.to, true
	case k.to.Addr() == t.Public:
		return t.enter(k.src, k.to.Port(), now)
	}
	return k.to, k.way.from == k.way.to // an inside address means nothing outside
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
