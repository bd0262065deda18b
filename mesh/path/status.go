package path

import (
	"fmt"
	"time"

	"landfall"
)

// Status is what is known about a peer.
type Status struct {
	Peer   landfall.NodeID
	Route  Route
	Why    string        // the primary is it, in words
	RTT    time.Duration // of the primary, smoothed; 0 is unknown
	Jitter time.Duration
	Loss   float64 // from 0 to 1
	Alive  bool
	Known  bool      // false until a probe was answered or the peer given up
	Late   bool      // the primary owes an answer: see Heard
	Active bool      // data has gone or come lately
	Doubt  string    // why the route is in doubt; "" if it is not
	Heard  time.Time // last answer on the primary, or since when we ask there
	Data   time.Time // when data last came from it, as Traffic told; zero: never
}

// Doubts tells how all doubts of routes ended.
func (t *Table) Doubts() Doubts { return t.doubts }

// Status tells about one peer; false if it is not in the table.
func (t *Table) Status(id landfall.NodeID, at time.Time) (Status, bool) {
	p, now := t.byID[id], t.clock.at(at)
	if p == nil {
		return Status{}, false
	}
	s := Status{Peer: p.id, Route: p.route, Why: p.why, Alive: p.alive, Known: p.known, Active: p.active(now)}
	if p.doubt.since != 0 {
		s.Doubt = p.doubt.why
	}
	data, _ := p.hears()
	s.Data = t.clock.time(data)
	if c := p.primary; c != nil {
		s.RTT, s.Jitter, s.Loss = c.delay.smooth, c.delay.jitter, c.loss(now)
		s.Late = c.life == Suspect || c.life == Gone
		s.Heard = t.clock.time(max(c.answered, c.asked))
	}
	return s, true
}

// WayStatus is what is known about one way to a peer.
type WayStatus struct {
	Way    Way
	Life   Life
	Use    string        // "primary", "backup" or ""
	Why    string        // it is used or not, in words
	RTT    time.Duration // smoothed; 0 is unknown
	Recent time.Duration // the median of the last answers
	Jitter time.Duration
	Loss   float64 // from 0 to 1
	Cost   time.Duration
	MTU    int       // largest UDP payload known to pass
	Heard  time.Time // last answer, or since when we ask
}

// String is the way with all that is known about it, for logs.
func (w WayStatus) String() string {
	s := fmt.Sprintf("%v: %v", w.Way, w.Life)
	if w.RTT > 0 {
		s += fmt.Sprintf(", %v ± %v, loss %.1f %%", short(w.RTT), short(w.Jitter), 100*w.Loss)
	}
	return s + fmt.Sprintf(", MTU %d, %s", w.MTU, w.Why)
}

// Ways tells about all ways to a peer: those that the map names in its order,
// then others, at last those that nodes between refuse.
func (t *Table) Ways(id landfall.NodeID, at time.Time) []WayStatus {
	p, now := t.byID[id], t.clock.at(at)
	if p == nil {
		return nil
	}
	var list []WayStatus
	for _, c := range p.ways {
		w := WayStatus{
			Way: c.way, Life: c.lives(now), RTT: c.delay.smooth, Recent: c.delay.recent(), Jitter: c.delay.jitter,
			Loss: c.loss(now), Cost: c.cost(now), MTU: c.mtu(), Heard: t.clock.time(max(c.answered, c.asked)),
		}
		w.Use, w.Why = p.role(c, now)
		list = append(list, w)
	}
	return append(list, t.refused(p, now)...)
}

// role says how a way is used, and why.
func (p *peer) role(c *candidate, now instant) (use, why string) {
	switch {
	case c == p.primary && c.lives(now) == Mute:
		return "primary", fmt.Sprintf("mute: answers probes, forwards nothing; in use for want of another, mute for %v more", short(c.carry.until.since(now)))
	case c == p.primary && c.way.Relayed():
		return "primary", fmt.Sprintf("relayed through %s: %s", c.way.Via, p.why)
	case c == p.primary:
		return "primary", "in use: " + p.why
	case c == p.backup:
		use = "backup"
	}
	switch life := c.lives(now); {
	case life == Mute:
		return use, fmt.Sprintf("mute: answers probes, forwards nothing; tried again in %v, or when nothing else answers", short(c.carry.until.since(now)))
	case life == Fresh:
		return use, fmt.Sprintf("has not answered for %v", short(now.since(c.asked)))
	case life == Gone || life == Suspect:
		return use, fmt.Sprintf("no answer for %v", short(now.since(max(c.answered, c.asked))))
	case !c.trusted(now):
		return use, fmt.Sprintf("died lately (%d), used again in %v if it is better", c.deaths, short(c.probation()-now.since(c.revived)))
	case p.primary != nil && c.cost(now) < p.primary.cost(now):
		return use, "better, but not by enough or for long enough"
	}
	return use, "costs more than the primary"
}
