package wg

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/mesh/class"
	"landfall/mesh/relay"
)

// What is forwarded for each pair of nodes, in each direction: as much as any
// path between them should carry, so that one pair does not starve the others.
const (
	forwardRate  = 128 << 20 // bytes per second
	forwardBurst = 8 << 20
)

// forwardBatch is how many frames are sent before it is looked again whether
// there are more urgent ones.
const forwardBatch = 32

// Where there is a rate, half of it is for forwarding, in eighths, and no class
// waits for longer than forwardWait.
const (
	forwardShare = 3
	probeShare   = 1
	forwardWait  = 100 * time.Millisecond
	leastWaiting = 32 << 10 // bytes
)

// relayed bounds what is forwarded from one peer to each other.
type relayed struct {
	mu sync.Mutex
	to map[*peer]*allowance
}

// may uses n bytes of what the pair has.
func (r *relayed) may(dest *peer, n int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.to[dest]
	if a == nil {
		if r.to == nil {
			r.to = map[*peer]*allowance{}
		}
		a = &allowance{}
		r.to[dest] = a
	}
	return a.take(n, 0, forwardRate, forwardBurst, now)
}

// forget drops what is known about a destination that has gone.
func (r *relayed) forget(dest *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.to, dest)
}

// repeatSlots is how many frames are remembered so that none is relayed twice.
const repeatSlots = 1 << 16

// repeats knows frames that were forwarded, by a keyed hash: whoever has
// recorded one could else have it sent again as often as he likes.
type repeats struct {
	seed maphash.Seed
	seen atomic.Pointer[[repeatSlots]atomic.Uint64]
}

// again reports whether a genuine frame was forwarded before.
func (r *repeats) again(frame []byte) bool {
	seen := r.seen.Load()
	if seen == nil {
		r.seen.CompareAndSwap(nil, new([repeatSlots]atomic.Uint64))
		seen = r.seen.Load()
	}
	sum := maphash.Bytes(r.seed, relay.MAC(frame))
	return seen[sum%repeatSlots].Swap(sum) == sum
}

// forward is a frame to send on to its destination.
type forward struct {
	class landfall.Class
	waiting
	frame []byte
}

// put seals a frame anew, from one peer for another, if we relay for them. Its
// last hop is our own direct way: nothing is relayed twice. Probes are told
// from their repetitions where they arrive.
func (r *receiver) put(l *letter, from, dest *peer) {
	to, _ := dest.straight()
	probe := l.b[relay.Overhead] == probeKind
	switch {
	case !from.Forward:
		r.count.drop(notForUs, 1)
	case !to.IsValid():
		r.count.drop(noDirectWay, 1)
	case !probe && r.repeats.again(l.body()):
		r.count.drop(repeated, 1)
	case !from.relayed.may(dest, l.size, r.now):
		r.count.drop(relayBusy, 1)
	default:
		dest.Relay.Seal(l.body(), relay.Second, from.Name)
		c := class.Of(l.mark >> 2)
		f := forward{class: c, frame: l.body(), waiting: waiting{size: l.size, tos: class.TOS(c, l.mark), peer: dest}}
		if probe {
			r.probes = append(r.probes, f)
		} else {
			r.frames = append(r.frames, f)
		}
	}
}

// flush gives what put has put aside to those who send it.
func (r *receiver) flush() {
	if len(r.probes) > 0 {
		r.count.drop(relayBusy, r.probing.add(r.probes))
		r.probes = r.probes[:0]
	}
	if len(r.frames) > 0 {
		r.count.drop(relayBusy, r.relaying.add(r.frames))
		r.frames = r.frames[:0]
	}
}

// outbox holds frames between the readers of sockets, who never wait, and a
// sender of its own, who may.
type outbox struct {
	most int // bytes of each class that wait

	mu     sync.Mutex
	work   sync.Cond
	queues classes
	pace   pace
	alarm  *time.Timer
	closed bool
}

// newOutbox makes one for a rate, in bits per second; 0 is no bound.
func newOutbox(rate int64) *outbox {
	o := &outbox{most: queueBytes, pace: pace{rate: rate}}
	if rate > 0 {
		o.most = min(queueBytes, max(leastWaiting, int(rate/8*int64(forwardWait)/int64(time.Second))))
	}
	o.work.L = &o.mu
	return o
}

// add takes copies of frames, and tells how many it has no room for.
func (o *outbox) add(list []forward) (dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range list {
		if q := &o.queues.queues[f.class]; q.full(f.size) || q.bytes+f.size > o.most {
			dropped++
			continue
		}
		f.slab = o.queues.slab()
		copy(f.slab[:], f.frame)
		o.queues.push(f.class, f.waiting)
	}
	o.work.Signal()
	return dropped
}

// take waits for frames, and gives what is to be sent next after those of the
// last time; nothing at the end.
func (o *outbox) take(batch []waiting) []waiting {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range batch {
		o.queues.release(w.slab)
	}
	batch = batch[:0]
	for !o.closed {
		now := time.Now()
		if shut := o.pace.wait(now); shut > 0 {
			o.await(shut)
			continue
		}
		for len(batch) < forwardBatch && o.pace.wait(now) == 0 {
			_, w, ok := o.queues.pop()
			if !ok {
				break
			}
			o.pace.spend(w.size, now)
			batch = append(batch, w)
		}
		if len(batch) > 0 {
			return batch
		}
		o.work.Wait()
	}
	return nil
}

// await waits until there may be something to do, at the latest after some
// time.
func (o *outbox) await(most time.Duration) {
	if o.alarm == nil {
		o.alarm = time.AfterFunc(most, o.wake)
	} else {
		o.alarm.Reset(most)
	}
	o.work.Wait()
	o.alarm.Stop()
}

func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.work.Signal()
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.work.Signal()
}

// forwardAll sends what is relayed until the end, in one call for each
// destination and mark.
func (b *bind) forwardAll() {
	var frames [][]byte
	var batch []waiting
	for batch = b.relaying.take(nil); batch != nil; batch = b.relaying.take(batch) {
		for i := range batch {
			frames = frames[:0]
			for j := i; j < len(batch); j++ {
				if w := &batch[j]; w.size > 0 && w.peer == batch[i].peer && w.tos == batch[i].tos {
					frames = append(frames, w.slab[:w.size])
					w.size = 0
				}
			}
			if len(frames) > 0 {
				b.forward(batch[i].peer, frames, batch[i].tos)
			}
		}
		clear(frames)
	}
}

// forward sends frames for one destination.
func (b *bind) forward(dest *peer, frames [][]byte, tos uint8) {
	to, limit := dest.straight()
	if !to.IsValid() {
		b.count.drop(noDirectWay, len(frames))
		return
	}
	if limit == 0 {
		limit = leastMTU
	}
	size := 0
	for _, f := range frames {
		size += len(f)
		b.charge(len(f))
	}
	if b.write(hop{to: to, end: dest, limit: limit}, frames, tos) == nil {
		b.count.relayed.Add(uint64(len(frames)))
		b.count.relayedBytes.Add(uint64(size))
	}
}

// forwardProbes sends probes that are relayed until the end, each whole or not
// at all: it may ask just that.
func (b *bind) forwardProbes() {
	var batch []waiting
	for batch = b.probing.take(nil); batch != nil; batch = b.probing.take(batch) {
		for _, w := range batch {
			to, _ := w.peer.straight()
			if !to.IsValid() {
				b.count.drop(noDirectWay, 1)
				continue
			}
			b.charge(w.size)
			if b.unsent(b.conn(to).Urgent(w.slab[:w.size], to, w.tos), 1) == nil {
				b.count.probes.Add(1)
				b.count.probeBytes.Add(uint64(w.size))
			}
		}
	}
}
