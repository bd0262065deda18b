package path

import "time"

// What a death means afterwards.
const (
	distrust     = 5 * time.Second // doubled for each death of late
	distrustMost = 5 * time.Minute
	pardon       = 5 * time.Minute // half of the deaths are forgotten after it
)

// judge finds the ways that have died.
func (p *peer) judge(now instant) {
	for _, c := range p.ways {
		if c.life == Gone || c.misses < p.patience(c, now) {
			continue
		}
		silent := now.since(c.missing) >= alone && !c.lastHeard.within(alone, now)
		if c.life == Fresh || silent || p.sound(c, now) {
			c.die(now)
		}
	}
}

// patience is how many late probes mean death: more than DeadAfter while data
// still comes this way and the peer has no doubt, for then it was perhaps only
// a burst of losses.
func (p *peer) patience(c *candidate, now instant) int {
	asked := max(c.missing, p.doubt.since)
	if c.lastHeard > asked.add(c.delay.smooth/2+spare) && !p.doubt.peer.within(echo, now) {
		return DeadAfter + 2
	}
	return DeadAfter
}

// sound reports whether another way has worked while c did not.
func (p *peer) sound(c *candidate, now instant) bool {
	for _, o := range p.ways {
		if o != c && o.usable(now) && o.misses == 0 && o.proved >= c.missing {
			return true
		}
	}
	return false
}

func (c *candidate) die(now instant) {
	if c.answers() {
		if now.since(c.died) > pardon {
			c.deaths /= 2
		}
		c.deaths = min(c.deaths+1, 7)
	}
	c.life, c.died, c.volley, c.settling, c.tries = Gone, now, 0, 0, 0
	c.carry.forget()
}

// trusted reports whether the way has worked for long enough since it last
// died.
func (c *candidate) trusted(now instant) bool {
	return c.deaths == 0 || now.since(c.revived) >= c.probation()
}

// probation is how long it has to work before it is trusted again.
func (c *candidate) probation() time.Duration { return min(distrust<<c.deaths, distrustMost) }
