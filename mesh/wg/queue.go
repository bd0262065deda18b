package wg

import (
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

// pop takes the first packet of the most urgent class; false if none waits.
func (c *classes) pop() (landfall.Class, waiting, bool) {
	if c.count == 0 {
		return 0, waiting{}, false
	}
	for _, class := range ranks {
		if q := &c.queues[class]; q.packets() > 0 {
			c.count--
			return class, q.pop(), true
		}
	}
	return 0, waiting{}, false
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
