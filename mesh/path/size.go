package path

import (
	"math"
	"time"

	"landfall/mesh/pmtu"
	"landfall/mesh/relay"
)

// leastHint is the smallest MTU that a search takes for a hint: every host
// must be able to receive it (RFC 1122, 3.3.2).
const leastHint = 576

// overhead is what is added to a UDP payload on the way.
func (c *candidate) overhead() int {
	switch {
	case c.way.Relayed():
		return pmtu.HeadersV4 + relay.Overhead
	case c.way.Addr.Addr().Unmap().Is4():
		return pmtu.HeadersV4
	}
	return pmtu.HeadersV6
}

// sizes are the sizes to probe now. The way is in use and its pair active.
func (c *candidate) sizes(at time.Time) []int {
	if c.life != Living || c.misses > 0 || c.delay.n == 0 {
		return nil
	}
	if c.search == nil {
		c.search = pmtu.New(c.overhead(), c.delay.smooth, at)
	}
	return c.search.Probes(at)
}

// sizesAt is when there may be sizes to probe.
func (c *candidate) sizesAt(clock *clock) instant {
	if c.search == nil || c.life != Living || c.misses > 0 {
		return math.MaxInt64
	}
	if next := clock.ago(c.search.Next()); next != 0 {
		return next
	}
	return math.MaxInt64
}

// sized hands the search what an answer says about sizes.
func (c *candidate) sized(f flight, a Answer, at time.Time) {
	if c.search == nil {
		return
	}
	if c.revived != 0 && c.revived == c.answered {
		c.search.Suspect(at)
	}
	if f.size > 0 {
		c.search.Answered(int(f.size), at.Add(-time.Duration(c.answered-f.at)), at)
	}
	if a.Largest > 0 {
		c.search.Confirmed(a.Largest, at)
	}
	if !a.Bare && int(f.large) > a.Largest { // what was sent before the ping did not all arrive
		c.search.Hint(max(a.Largest+c.overhead(), leastHint), at)
	}
}
