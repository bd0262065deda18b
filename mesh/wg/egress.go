package wg

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/tun"

	"landfall"
	"landfall/mesh/class"
	"landfall/mesh/front"
	"landfall/mesh/udp"
)

// patience is how long a full class queue holds the front back before it
// drops: a front whose TCP can wait loses nothing while WireGuard is merely
// busy, and a slow uplink does not hold back chat for longer than this.
const patience = 5 * time.Millisecond

// moment is how long the window may be full before that is congestion. On a
// fast network it is full all the time, and open again much sooner.
const moment = 2 * time.Millisecond

// egress is the way of packets from the front to WireGuard. While there is no
// congestion WireGuard's reader reads the front itself:
//
//	front --> WireGuard
//
// Once the window stays full, or a rate is set, a pump reads in its place and
// sorts by class, and the reader is served from the queues:
//
//	front --> pump --> Control, Interactive, Normal, Bulk --> WireGuard
type egress struct {
	front  front.Packets
	in     *ingress
	mtu    int
	peers  *directory
	count  *counters
	active func(landfall.NodeID)
	fail   func(error)
	window window
	done   sync.WaitGroup
	over   chan struct{} // closed at the end

	mu        sync.Mutex
	ready     sync.Cond // the reader's: packets, room, or the end
	work      sync.Cond // the pump's: it is wanted, or has room, or the end
	queues    classes
	pace      pace
	pumping   bool        // the front is the pump's to read
	holding   bool        // the pump waits for room
	fullSince time.Time   // the window; zero if it is not
	alarm     *time.Timer // wakes the reader
	nudge     *time.Timer // wakes the pump
	leaving   []*peer     // whose packets no longer count
	closed    bool
}

func newEgress(cfg Config, peers *directory, count *counters, in *ingress, fail func(error)) *egress {
	e := &egress{
		front: cfg.Front, in: in, mtu: cfg.MTU, peers: peers, count: count, active: cfg.Active, fail: fail,
		pace: pace{rate: cfg.Rate}, pumping: cfg.Rate > 0, over: make(chan struct{}),
	}
	e.ready.L, e.work.L = &e.mu, &e.mu
	e.window.room = e.wake
	e.done.Go(e.pump)
	e.done.Go(func() { in.tell(e.over) })
	return e
}

// wake lets the reader look again.
func (e *egress) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ready.Signal()
}

// Read implements tun.Device.
func (e *egress) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	for {
		n, err := e.take(bufs, sizes, offset)
		if n > 0 || err != nil {
			return n, err
		}
		n, err = e.front.Read(bufs, sizes, offset)
		if n > 0 {
			e.admit(bufs[:n], sizes, offset)
		}
		if err != nil && !errors.Is(err, tun.ErrTooManySegments) {
			e.ended(err)
			return n, os.ErrClosed
		}
		if n > 0 {
			return n, nil
		}
	}
}

// take waits until there is room in the window, and gives what waits in the
// queues. It gives nothing when the front is the reader's to read.
func (e *egress) take(bufs [][]byte, sizes []int, offset int) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		for _, p := range e.leaving {
			e.window.forgive(p)
		}
		e.leaving = nil
		switch now := time.Now(); {
		case e.closed:
			return 0, os.ErrClosed
		case !e.window.open():
			e.awaitRoom(now)
		case e.pace.wait(now) > 0:
			e.await(e.pace.wait(now))
		case e.queues.count > 0:
			return e.serve(bufs, sizes, offset, now), nil
		case !e.pumping:
			return 0, nil
		default:
			e.ready.Wait()
		}
	}
}

// charge takes bytes that are sent past the queues out of the rate.
func (e *egress) charge(n int) {
	if e.pace.rate == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pace.spend(n, time.Now())
}

func (e *egress) startPump() {
	if !e.pumping {
		e.pumping = true
		e.work.Signal()
	}
}

// awaitRoom waits for room in the window. When it has been full for a moment
// the pump is needed, and when it has been full for too long, a review.
func (e *egress) awaitRoom(now time.Time) {
	if e.fullSince.IsZero() {
		e.fullSince = now
	}
	switch full := now.Sub(e.fullSince); {
	case full < moment:
		e.await(moment - full)
	case full < stuckAfter:
		e.startPump()
		e.await(stuckAfter - full)
	default:
		e.window.review(e.peers.all())
		e.fullSince = now
	}
	if e.window.open() {
		e.fullSince = time.Time{}
	}
}

// await waits to be woken, at the latest after some time.
func (e *egress) await(most time.Duration) {
	if e.alarm == nil {
		e.alarm = time.AfterFunc(most, e.wake)
	} else {
		e.alarm.Reset(most)
	}
	e.window.wanted.Store(true)
	if e.window.inside.Load() >= windowSize/2 || e.pace.rate > 0 {
		e.ready.Wait()
	}
	e.window.wanted.Store(false)
	e.alarm.Stop()
}

// serve moves packets out of the queues, most urgent first.
func (e *egress) serve(bufs [][]byte, sizes []int, offset int, now time.Time) (n int) {
	for n < len(bufs) && e.window.open() && e.pace.wait(now) == 0 {
		c, w, ok := e.queues.pop()
		if !ok {
			break
		}
		sizes[n] = copy(bufs[n][offset:], w.slab[overhead:overhead+w.size])
		e.queues.release(w.slab)
		outTag{tos: w.tos, class: c, seq: e.window.enter(w.peer, w.size)}.put(bufs[n])
		e.pace.spend(w.size, now)
		n++
	}
	if e.holding {
		e.work.Signal()
	}
	return n
}

// admit tags a batch that the reader has read itself. What is not to be sent
// has size 0 afterwards, which WireGuard skips.
func (e *egress) admit(bufs [][]byte, sizes []int, offset int) {
	now := time.Now()
	var last *peer
	for i, b := range bufs {
		h, p := e.look(b[offset:offset+sizes[i]], last, now)
		if p == nil {
			sizes[i] = 0
			continue
		}
		last = p
		outTag{tos: h.mark(), class: h.class(), seq: e.window.enter(p, sizes[i])}.put(b)
	}
}

func (h packetHead) class() landfall.Class { return class.Of(h.tos >> 2) }
func (h packetHead) mark() uint8           { return class.TOS(h.class(), h.tos) }

// look finds out whose a packet is, the last one's most often, and does what
// its way asks for; nil if it cannot be sent.
func (e *egress) look(packet []byte, last *peer, now time.Time) (packetHead, *peer) {
	h, ok := head(packet)
	switch {
	case !ok:
		e.count.drop(notIP, 1)
		return h, nil
	case len(packet) > e.mtu:
		e.count.drop(packetTooLong, 1)
		return h, nil
	}
	p := last
	if p == nil || p.Addr != h.dst {
		if p = e.peers.addr(h.dst); p == nil {
			e.count.drop(noPeer, 1)
			return h, nil
		}
	}
	if p != last && p.touch(now) {
		e.active(p.Node)
	}
	e.in.clamp(p, packet, now)
	e.in.measure(p, packet, now)
	return h, p
}

// pump reads the front while there is congestion.
func (e *egress) pump() {
	slabs, bufs, sizes := make([]*[slabSize]byte, udp.Batch), make([][]byte, udp.Batch), make([]int, udp.Batch)
	for e.prepare(slabs, bufs) {
		n, err := e.front.Read(bufs, sizes, overhead)
		if err != nil && !errors.Is(err, tun.ErrTooManySegments) {
			e.ended(err)
			return
		}
		e.fill(slabs[:n], sizes[:n])
	}
}

// prepare waits until the front is the pump's to read; false at the end.
func (e *egress) prepare(slabs []*[slabSize]byte, bufs [][]byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for !e.pumping && !e.closed {
		e.work.Wait()
	}
	for i := range slabs {
		if slabs[i] == nil {
			slabs[i] = e.queues.slab()
			bufs[i] = slabs[i][:]
		}
	}
	return !e.closed
}

// fill sorts what the pump has read into the queues. Slabs that are taken are
// nil afterwards.
func (e *egress) fill(slabs []*[slabSize]byte, sizes []int) {
	now := time.Now()
	var last *peer
	for i, s := range slabs {
		h, p := e.look(s[overhead:overhead+sizes[i]], last, now)
		if p == nil {
			continue
		}
		last = p
		if e.enqueue(h.class(), waiting{slab: s, size: sizes[i], tos: h.mark(), peer: p}) {
			slabs[i] = nil
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pace.rate == 0 && e.window.inside.Load() < windowSize/2 {
		e.pumping = false
	}
	e.ready.Signal()
}

// enqueue puts a packet into its queue. It waits for room as long as patience
// allows, for all packets of a congestion together; false if there is none.
func (e *egress) enqueue(c landfall.Class, w waiting) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := &e.queues.queues[c]
	for q.full(w.size) && !e.closed {
		now := time.Now()
		if q.late.IsZero() {
			q.late = now.Add(patience)
		}
		if !now.Before(q.late) {
			q.dropped++
			return false
		}
		e.ready.Signal()
		e.hold(q.late.Sub(now))
	}
	if q.bytes < queueBytes/2 && q.packets() < queuePackets/2 {
		q.late = time.Time{}
	}
	e.queues.push(c, w)
	return true
}

// hold lets the pump wait for room.
func (e *egress) hold(most time.Duration) {
	if e.nudge == nil {
		e.nudge = time.AfterFunc(most, e.resume)
	} else {
		e.nudge.Reset(most)
	}
	e.holding = true
	e.work.Wait()
	e.holding = false
	e.nudge.Stop()
}

func (e *egress) resume() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.work.Signal()
}

// forget takes what is inside of a peer that has gone out of the window.
func (e *egress) forget(p *peer) {
	p.flow.gone.Store(true)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leaving = append(e.leaving, p)
}

// end closes the front, which may have something to say before, and waits for
// all that read or wrote it.
func (e *egress) end() {
	if err := e.front.Close(); err != nil {
		e.fail(fmt.Errorf("mesh front: %w", err))
	}
	e.ended(os.ErrClosed)
	e.done.Wait()
}

// ended notes that the front cannot be read any more.
func (e *egress) ended(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	if !errors.Is(err, os.ErrClosed) {
		e.fail(fmt.Errorf("mesh front: %w", err))
	}
	e.closed = true
	close(e.over)
	e.ready.Broadcast()
	e.work.Broadcast()
}

// queued tells what waits, and what was dropped, by class.
func (e *egress) queued() (bytes map[string]int64, dropped map[string]uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	bytes, dropped = map[string]int64{}, map[string]uint64{}
	for c, name := range classNames {
		bytes[name], dropped[name] = int64(e.queues.queues[c].bytes), e.queues.queues[c].dropped
	}
	return bytes, dropped
}
