package path

import (
	"slices"
	"time"
)

// The numbers of answers.
const (
	DeadAfter = 3 // late probes in a row

	unknownLate = time.Second           // when a probe is late where no round trip is known
	spare       = 40 * time.Millisecond // a probe may take longer by this
	hotSpare    = 10 * time.Millisecond // and a hot one by this
	alone       = time.Second           // without an answer nor anything better: dead
	forget      = 5 * time.Second       // an answer later than this is none
	maxFlights  = 48
)

// flight is a probe under way.
type flight struct {
	stamp int64
	at    instant
	sent  uint32 // the way's data counters then
	lone  uint32
	size  uint16 // of a probe for size, else 0: such a one may be lost for its size
	large uint16 // the largest data datagram sent since the probe before
	hot   bool
	late  bool
}

// due is when the flight is late.
func (c *candidate) due(f *flight) instant {
	if f.hot {
		return f.at.add(c.delay.late(hotSpare))
	}
	return f.at.add(c.delay.late(spare))
}

// launch notes a probe that is sent.
func (c *candidate) launch(f flight) {
	if len(c.flights) >= maxFlights {
		c.flights = slices.Delete(c.flights, 0, 1)
	}
	c.flights = append(c.flights, f)
	if c.life == Gone {
		c.tries = min(c.tries+1, 32)
	}
	if c.volley > 0 {
		c.volley--
	}
}

// sweep notices probes that have become late, and forgets old ones. It reports
// whether any has.
func (c *candidate) sweep(now instant) bool {
	before := c.misses
	kept := c.flights[:0]
	for _, f := range c.flights {
		if !f.late && now >= c.due(&f) {
			f.late = true
			c.miss(&f, now)
		}
		switch {
		case now.since(f.at) < forget:
			kept = append(kept, f)
		case c.delay.n > 0 && f.size == 0 && c.life != Gone:
			c.fate.add(true)
		}
	}
	c.flights = kept
	return c.misses > before
}

func (c *candidate) miss(f *flight, now instant) {
	if f.size > 0 {
		return
	}
	if c.misses++; c.misses == 1 {
		c.missing = f.at
	}
	if c.life == Living {
		c.life, c.next = Suspect, now
	}
}

// land takes the flight that an answer is for; false if there is none.
func (c *candidate) land(stamp int64, now instant) (flight, bool) {
	i := slices.IndexFunc(c.flights, func(f flight) bool { return f.stamp == stamp })
	if i < 0 || now.since(c.flights[i].at) >= forget {
		return flight{}, false
	}
	f := c.flights[i]
	c.flights = slices.Delete(c.flights, i, i+1)
	if c.delay.n == 0 || c.life == Gone { // nobody was there to answer before: nothing was lost
		c.flights = slices.DeleteFunc(c.flights, func(old flight) bool { return old.stamp < stamp })
	}
	if len(c.flights) == 0 {
		c.flights = nil // most ways are idle: it would be much of the room that they take
	}
	for j := range c.flights { // the way works: what was sent before is lost, not late
		if old := &c.flights[j]; old.at < f.at {
			old.late = true
		}
	}
	c.alive(&f, now)
	return f, true
}

// alive notes an answer.
func (c *candidate) alive(f *flight, now instant) {
	c.delay.add(now.since(f.at))
	c.fate.add(false)
	switch {
	case c.life == Fresh:
		c.settling = settled
	case c.settling > 0:
		c.settling--
	}
	c.revive(now)
	c.life, c.misses = Living, 0
	c.answered, c.proved = now, max(c.proved, f.at)
}

// ripe is when something about the way may change by itself.
func (c *candidate) ripe() instant {
	t := c.next
	for i := range c.flights {
		if f := &c.flights[i]; !f.late {
			t = first(t, c.due(f))
		}
	}
	return t
}
