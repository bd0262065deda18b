package measure

import (
	"net/netip"
	"time"

	"landfall"
)

// What samples may say.
const (
	shortest = 100 * time.Microsecond // no path of the Internet is shorter
	longest  = 10 * time.Second       // who waits that long has gone
	ahead    = time.Minute            // clocks differ
	oldest   = 10 * time.Minute       // later, an edge has nothing new to say
)

// reason is why a sample is dropped.
type reason int

const (
	strangers reason = iota // not of an active edge of the map
	forOthers               // about another edge than the one that says it
	noPrefix                // not a /24 of IPv4 or a /48 of IPv6
	absurd                  // a round trip that cannot be
	empty                   // with no connection behind it
	future
	tooOld
	reasons // how many there are
)

// String is the reason as the figures name it.
func (r reason) String() string {
	return [reasons]string{"stranger", "other-edge", "prefix", "rtt", "empty", "future", "old"}[r]
}

// Accepted is what became of the samples of one report.
type Accepted struct {
	Taken   int            // they count
	Hearsay int            // of clients that were never sent there: a hint whom to try, no more
	Dropped map[string]int // by reason; nil if none was
}

// Add takes the samples that an edge reports about itself. Each is taken or
// dropped on its own.
func (b *Book) Add(from landfall.NodeID, samples []landfall.Sample) Accepted {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out Accepted
	now := b.cfg.Now()
	edge, known := b.byID[from]
	known = known && b.edges[edge].active
	for _, s := range samples {
		why, ok := strangers, known
		if ok {
			why, ok = refuse(from, s, now)
		}
		switch {
		case !ok:
			if out.Dropped == nil {
				out.Dropped = map[string]int{}
			}
			out.Dropped[why.String()]++
			b.dropped[why]++
		case b.note(edge, s):
			out.Taken++
		default:
			out.Hearsay++
		}
	}
	b.stats.Samples += uint64(out.Taken)
	b.stats.Hearsay += uint64(out.Hearsay)
	return out
}

// refuse says what is wrong with a sample; ok if nothing is.
func refuse(from landfall.NodeID, s landfall.Sample, now time.Time) (why reason, ok bool) {
	switch {
	case s.Edge != "" && s.Edge != from:
		return forOthers, false
	case !measured(s.Prefix):
		return noPrefix, false
	case s.RTT < shortest || s.RTT > longest:
		return absurd, false
	case s.Count == 0:
		return empty, false
	case s.When.After(now.Add(ahead)):
		return future, false
	case s.When.Before(now.Add(-oldest)):
		return tooOld, false
	}
	return 0, true
}

// measured reports whether p is a prefix whose clients are measured together.
func measured(p netip.Prefix) bool {
	return p.IsValid() && landfall.ClientPrefix(p.Addr()) == p
}

// note writes a good sample down. It reports whether it counts: whether
// answers led clients of the prefix to that edge.
func (b *Book) note(edge uint16, s landfall.Sample) bool {
	e := b.entry(keyOf(s.Prefix))
	c := e.cell(edge)
	rtt, when := uint32(s.RTT/time.Microsecond), uint32(s.When.Unix())
	e.live = max(e.live, when)
	if !e.invited(b.edges[edge].site) {
		c.hear(rtt)
		return false
	}
	c.add(uint32(b.epoch(s.When)), rtt, min(s.Count, maxCount), when)
	return true
}

// hear keeps the lesser half of what is said.
func (c *cell) hear(rtt uint32) {
	if c.rumour == 0 || rtt < c.rumour {
		c.rumour = rtt
		return
	}
	c.rumour += (rtt - c.rumour) / 8
}

// invited reports whether answers led to a site.
func (e *entry) invited(site uint16) bool {
	for _, g := range e.guests {
		if g == site+1 {
			return true
		}
	}
	return false
}

// cell is the one of an edge, made if there is none.
func (e *entry) cell(edge uint16) *cell {
	for i := range e.cells {
		if e.cells[i].edge == edge {
			return &e.cells[i]
		}
	}
	e.cells = append(e.cells, cell{edge: edge})
	return &e.cells[len(e.cells)-1]
}
