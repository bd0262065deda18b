package path

import "time"

// The numbers of probing.
const (
	Interval = time.Second            // between probes on a way in use, while the pair is active
	Hurry    = 200 * time.Millisecond // on a way that is new, or that owes an answer
	Hot      = 50 * time.Millisecond  // on the ways in use, in doubt

	relayedInterval = 3 * Interval / 2  // likewise relayed: two hops cost more than twice the bytes
	otherInterval   = 5 * time.Second   // on a way not in use, while the pair is active; on a relayed backup, while it is lightly so
	idleInterval    = 20 * time.Second  // on the primary, while the pair is idle
	idleThrough     = 100 * time.Second // likewise relayed
	idleDirect      = 2 * time.Minute   // on all other direct ways, one after the other
	idleRelayed     = 5 * time.Minute   // likewise on relayed ones

	volley      = 3                    // hot probes that begin a doubt
	volleySpace = 5 * time.Millisecond // between them

	activeFor = 10 * time.Second // after the last data
	lightly   = 20               // datagrams in that time are few
	longPause = 5 * time.Minute  // after it, nothing that was measured counts
	hotFor    = 2 * time.Second  // no doubt is hot for longer
	settled   = 5                // answers that settle a new way

	// The most reports in one pong.
	activeReports = 32
	fewReports    = 4 // idle, or relayed
	turnReports   = 2 // of these, such as tell nothing new
)

// pace is the time until the next probe of c, if nothing happens.
func (p *peer) pace(c *candidate, now instant) time.Duration {
	used := c == p.primary || c == p.backup
	switch {
	case c.life == Gone:
		return p.deadPace(c, now)
	case used && c.volley > 0 && (p.hot(now) || p.doubt.asked != 0):
		return volleySpace
	case used && p.hot(now) && (!p.doubt.mild || c.misses > 0):
		return Hot
	case c.learned && c.life == Fresh && !c.way.Relayed(): // anybody's, perhaps
		return Hurry << min(len(c.flights), 3)
	case c.life != Living, c.settling > 0, used && p.hot(now), c == p.primary && p.trial(now):
		return Hurry
	case !p.active(now):
		return p.idlePace(c)
	case !used, c == p.backup && c.way.Relayed() && p.light(now):
		return otherInterval
	case c.way.Relayed():
		return relayedInterval
	}
	return Interval
}

// idlePace keeps the whole pair within its bytes, however many ways it has.
func (p *peer) idlePace(c *candidate) time.Duration {
	switch {
	case c == p.primary && c.way.Relayed():
		return p.spread(idleThrough)
	case c == p.primary:
		return p.spread(idleInterval)
	}
	direct, relayed := p.others()
	each := time.Duration(direct) * idleDirect
	if c.way.Relayed() {
		each = time.Duration(relayed) * idleRelayed
	}
	if direct > 0 && relayed > 0 {
		each *= 2
	}
	return p.spread(each)
}

// spread makes a long pace a little longer, for each peer by another amount:
// peers that became known together shall not be probed together for ever.
func (p *peer) spread(d time.Duration) time.Duration {
	return d + d*time.Duration(p.slot%32)/320
}

// others counts the ways beside the primary.
func (p *peer) others() (direct, relayed int) {
	for _, c := range p.ways {
		switch {
		case c == p.primary:
		case c.way.Relayed():
			relayed++
		default:
			direct++
		}
	}
	return direct, relayed
}

// deadPace asks a dead way less and less often: a peer that comes back calls
// by itself.
func (p *peer) deadPace(c *candidate, now instant) time.Duration {
	most := otherInterval
	if !p.active(now) {
		most = p.idlePace(c)
	}
	return min(Interval<<min(c.tries, 8), most)
}
