//go:build linux

package tun

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landfall/mesh/tun/filter"
)

// Refusal is a packet of a peer that was not let in.
type Refusal struct {
	From netip.Addr // in the mesh; the zero Addr where nothing was refused
	// Asked is what would have let it in; the zero Rule, "all", where nothing
	// less would.
	Asked filter.Rule
}

// wall stands between peers and what listens on this machine.
type wall struct {
	filter  *filter.Filter
	refused [filter.Verdicts]atomic.Uint64

	mu   sync.Mutex
	sent filter.Sent
	last Refusal
}

// in reports whether a packet of a peer is let in.
func (w *wall) in(p []byte) bool {
	v := w.filter.In(p)
	if v == filter.Pass || v == filter.Unasked && w.answers(p) {
		return true
	}
	w.refused[v].Add(1)
	asked, _ := filter.Asked(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = Refusal{netip.AddrFrom16([16]byte(p[8:24])), asked}
	return false
}

func (w *wall) answers(p []byte) bool {
	f, now := filter.FlowOf(p), time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent.Has(f, now)
}

// out looks at a packet that leaves.
func (w *wall) out(p []byte) {
	f, ok := w.filter.Out(p)
	if !ok {
		return
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent.Note(f, now)
}

// Stats counts what a front has seen.
type Stats struct {
	Strange uint64            `metric:"strange_packets_total" help:"Packets of peers that were not for this node's address; dropped."`
	Refused map[string]uint64 `metric:"refused_packets_total" label:"reason" help:"Packets of peers that this node's rules do not let in; dropped."`
}

// Stats tells what the front has seen.
func (f *Front) Stats() Stats {
	s := Stats{Strange: f.strange.Load(), Refused: map[string]uint64{}}
	for v := filter.Unasked; v < filter.Verdicts; v++ {
		s.Refused[v.String()] = f.wall.refused[v].Load()
	}
	return s
}

// LastRefused is the last packet of a peer that was not let in.
func (f *Front) LastRefused() Refusal {
	f.wall.mu.Lock()
	defer f.wall.mu.Unlock()
	return f.wall.last
}
