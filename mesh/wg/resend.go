package wg

import (
	"sync"
	"time"

	"landfall/mesh/class"
	"landfall/mesh/path"
)

// How many datagrams are sent again at once, and how long that may take, or the
// socket is full.
const (
	resendBatch = 16
	resendWait  = 20 * time.Millisecond
)

// detour is the way on which a peer is sent again what it lately was sent.
type detour struct {
	way path.Way
	mtu int
}

// detours are what is to be sent again. Whoever notes one never waits.
type detours struct {
	mu     sync.Mutex
	work   sync.Cond
	noted  map[*peer]detour
	order  []*peer
	closed bool
}

func (d *detours) note(p *peer, on detour) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.noted[p]; !ok {
		d.order = append(d.order, p)
	}
	if d.noted == nil {
		d.noted = map[*peer]detour{}
	}
	d.noted[p] = on
	d.work.Signal()
}

// next waits for the next detour; false at the end.
func (d *detours) next() (*peer, detour, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.order) == 0 && !d.closed {
		d.work.Wait()
	}
	if d.closed {
		return nil, detour{}, false
	}
	p := d.order[0]
	on := d.noted[p]
	d.order = d.order[1:]
	delete(d.noted, p)
	return p, on, true
}

func (d *detours) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.work.Signal()
}

// resendAll sends again what is to be sent again, until the end.
func (b *bind) resendAll() {
	for {
		p, on, ok := b.detours.next()
		if !ok {
			return
		}
		if h, ok := b.hop(p, on.way, on.mtu); ok {
			b.resend(p, h, on.way)
		}
	}
}

// recalled is a run of datagrams under one mark.
type recalled struct {
	tos  uint8
	bufs [][]byte
}

// resend sends what was lately sent to a peer again, on another way: no more
// than may be sent twice, and none once the socket is full.
func (b *bind) resend(p *peer, h hop, w path.Way) {
	for _, run := range p.memory.runs(time.Now()) {
		now := time.Now()
		n, c := 0, class.Of(run.tos>>2)
		for n < len(run.bufs) && b.spare(p, len(run.bufs[n]), c, 0, now) {
			n++
		}
		if n == 0 {
			continue
		}
		bufs := run.bufs[:n]
		largest := h.payload(longest(bufs))
		if b.write(h, bufs, run.tos) == nil {
			b.count.resent.Add(uint64(n))
			p.traffic.on(h.origin, w).send(n, largest, now.UnixNano())
		}
		if time.Since(now) > resendWait {
			return
		}
	}
}

// runs recalls what was lately kept, in runs of resendBatch at most.
func (m *memory) runs(now time.Time) (out []recalled) {
	m.recall(now, func(d []byte, tos uint8) {
		n := len(out)
		if n == 0 || out[n-1].tos != tos || len(out[n-1].bufs) == resendBatch {
			out, n = append(out, recalled{tos: tos}), n+1
		}
		out[n-1].bufs = append(out[n-1].bufs, d)
	})
	return out
}
