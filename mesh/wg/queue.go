package wg

import (
	"slices"
	"time"

	"landfall"
)

// What waits in one class queue at most. Slabs are larger than most packets,
// so both are bounded.
const (
	queueBytes   = 1 << 20
	queuePackets = 1024
)

// spareSlabs is how many slabs are kept for the next congestion.
const spareSlabs = 512

// ranks are the classes, most urgent first.
var ranks = [...]landfall.Class{landfall.Control, landfall.Interactive, landfall.Normal, landfall.Bulk}

var classNames = [...]string{
	landfall.Normal: "normal", landfall.Bulk: "bulk", landfall.Interactive: "interactive", landfall.Control: "control",
}

// excess is the order of what no class has earned. Control is not the first of
// it: it needs little, and may save for that.
var excess = [...]landfall.Class{landfall.Interactive, landfall.Control, landfall.Normal, landfall.Bulk}

// saving is how many bytes Control may have earned at most, even while it has
// nothing to send.
const saving = 16 << 10

// shares are the part of what is sent that each class earns while it waits, as
// divisors. What is earned goes before all else, the most urgent first. So none
// starves the others, whatever marks local programs put on their packets.
var shares = [...]int{landfall.Interactive: 2, landfall.Normal: 4, landfall.Bulk: 16, landfall.Control: 8}

// waiting is a packet in a queue.
type waiting struct {
	slab *[slabSize]byte // the packet begins at overhead
	size int
	tos  uint8
	peer *peer
}

// queue is the packets of one class, in their order.
type queue struct {
	list    []waiting // list[head:] waits
	head    int
	bytes   int
	late    time.Time // until when it holds the front back; zero while it is not full
	dropped uint64
	earned  int // bytes, while others were served
}

func (q *queue) packets() int { return len(q.list) - q.head }

func (q *queue) full(n int) bool { return q.bytes+n > queueBytes || q.packets() >= queuePackets }

func (q *queue) push(w waiting) {
	q.list = append(q.list, w)
	q.bytes += w.size
}

func (q *queue) pop() waiting {
	w := q.list[q.head]
	q.list[q.head] = waiting{}
	if q.head++; q.head > len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.bytes -= w.size
	return w
}

// classes are the queues of all classes. They are not safe for concurrent use.
type classes struct {
	queues [len(ranks)]queue // by class
	count  int
	spare  []*[slabSize]byte
}

func (c *classes) push(class landfall.Class, w waiting) {
	c.queues[class].push(w)
	c.count++
}

// pop takes the first packet of the most urgent class that has earned it, else
// of the first in the order of excess; false if none waits.
func (c *classes) pop() (landfall.Class, waiting, bool) {
	if c.count == 0 {
		return 0, waiting{}, false
	}
	c.count--
	next := slices.IndexFunc(ranks[:], func(class landfall.Class) bool {
		q := &c.queues[class]
		return q.packets() > 0 && q.earned >= q.list[q.head].size
	})
	if next >= 0 {
		return ranks[next], c.serve(ranks[next]), true
	}
	next = slices.IndexFunc(excess[:], func(class landfall.Class) bool { return c.queues[class].packets() > 0 })
	return excess[next], c.serve(excess[next]), true
}

// serve takes the first packet of a class, which pays with what it has earned,
// and lets the others earn. None but Control saves for more than one packet.
func (c *classes) serve(class landfall.Class) waiting {
	w := c.queues[class].pop()
	for i := range c.queues {
		switch q := &c.queues[i]; {
		case landfall.Class(i) == class:
			q.earned = max(0, q.earned-w.size)
		case landfall.Class(i) == landfall.Control:
			q.earned = min(q.earned+w.size/shares[i], saving)
		case q.packets() == 0:
			q.earned = 0
		default:
			q.earned = min(q.earned+w.size/shares[i], slabSize)
		}
	}
	return w
}

// slab is room for one packet.
func (c *classes) slab() *[slabSize]byte {
	if n := len(c.spare); n > 0 {
		s := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return s
	}
	return new([slabSize]byte)
}

func (c *classes) release(s *[slabSize]byte) {
	if len(c.spare) < spareSlabs {
		c.spare = append(c.spare, s)
	}
}
