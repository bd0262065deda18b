package path

import "container/heap"

// queue holds the peers by when Tick has something to do for them.
type queue []*peer

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due < q[j].due }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].heap, q[j].heap = i, j
}

// Push is heap.Interface's.
func (q *queue) Push(x any) {
	p := x.(*peer)
	p.heap = len(*q)
	*q = append(*q, p)
}

// Pop is heap.Interface's.
func (q *queue) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return p
}

// soon has the next Tick look at the peer.
func (t *Table) soon(p *peer, now instant) {
	if now < p.due {
		t.reset(p, now)
	}
}

func (t *Table) reset(p *peer, due instant) {
	p.due = due
	heap.Fix(&t.queue, p.heap)
}
