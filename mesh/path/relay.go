package path

import (
	"maps"
	"math"
	"slices"
	"time"

	"landfall"
)

// The numbers of relaying.
const (
	tried      = 2                     // relays proposed for one peer at a time
	maxRelayed = 4                     // relayed ways known for one peer
	reportLife = 4 * time.Minute       // a report is believed as long
	reconsider = time.Second           // between two looks for relays, the pair active
	newReports = 50 * time.Millisecond // and after news, while they matter
	retry      = time.Minute           // a dead relayed way is forgotten, and may be proposed again
	unwanted   = time.Minute           // a relayed way that is not among the best goes after it
	idleGain   = 4 * leastGain         // an idle pair tries no relay for less
	resent     = 10 * time.Minute      // it is remembered as long that a relay was worse than its sum
	leaving    = time.Hour             // what a relay that is drained costs more, in the order of offers
)

// view is one entry of what a peer says about its ways to others. There is one
// for every two nodes: it is as small as can be.
type view struct {
	rtt  uint16 // in steps of viewStep; 0: no way
	loss uint8  // of 255
	age  uint8  // when it came, in steps of ageStep; it wraps around, so see expire
}

const (
	viewStep = 100 * time.Microsecond
	ageStep  = 2 * time.Second
)

func age(now instant) uint8 { return uint8(time.Duration(now) / ageStep) }

// fresh reports whether the entry says something, still.
func (v view) fresh(now instant) bool {
	return v.rtt != 0 && age(now)-v.age <= uint8(reportLife/ageStep)
}

func (v view) price() time.Duration {
	return price(time.Duration(v.rtt)*viewStep, 0, float64(v.loss)/255)
}

// report takes an entry. It reports whether it is news.
func (p *peer) report(slot int, r Report, now instant) bool {
	if slot >= len(p.views) {
		if r.RTT <= 0 {
			return false
		}
		p.views = append(p.views, make([]view, slot+1-len(p.views))...)
	}
	old, v := &p.views[slot], view{loss: uint8(min(max(r.Loss, 0), 1) * 255), age: age(now)}
	if r.RTT > 0 {
		v.rtt = uint16(min(max(r.RTT/viewStep, 1), math.MaxUint16))
	}
	news := (old.rtt == 0) != (v.rtt == 0)
	*old = v
	return news
}

// expire clears what is too old, before its age wraps around.
func (p *peer) expire(now instant) {
	for i := range p.views {
		if !p.views[i].fresh(now) {
			p.views[i] = view{}
		}
	}
}

// direct is the best direct way that works; nil if there is none.
func (p *peer) direct(now instant) *candidate {
	var best *candidate
	for _, c := range p.ways {
		if !c.way.Relayed() && c.usable(now) && c.misses < DeadAfter && (best == nil || c.cost(now) < best.cost(now)) {
			best = c
		}
	}
	return best
}

// offer is a relay with what the way through it should cost.
type offer struct {
	by   *peer
	sum  time.Duration // of both halves
	rank time.Duration // what it does cost, as far as that is known
}

// rebuff is what is remembered of a relay that was worse than its sum.
type rebuff struct {
	cost  time.Duration
	until instant
}

// offers are the best few relays to p: such as have answered by what they
// cost, end to end, others by the sum of both halves. The second half is as p
// says, or else as the relay does.
func (t *Table) offers(p *peer, now instant) []offer {
	var best []offer
	for _, by := range t.peers {
		if by == p || by.refuses {
			continue
		}
		half := by.towards(p, now)
		if half == 0 || p.failed(by.id, now) {
			continue
		}
		c := by.direct(now)
		if c == nil {
			continue
		}
		sum := c.cost(now) + half
		o := offer{by, sum, p.rank(by, sum, now)}
		i, _ := slices.BinarySearchFunc(best, o, func(a, b offer) int { return int(a.rank - b.rank) })
		if i < tried {
			best = slices.Insert(best, i, o)
			best = best[:min(len(best), tried)]
		}
	}
	return best
}

// rank is what a relay costs, to put it in order: a node that answers quickly,
// or says that it is near, need not forward quickly.
func (p *peer) rank(by *peer, sum time.Duration, now instant) time.Duration {
	rank := sum
	if c := p.at(Way{Via: by.id}); c != nil && c.delay.n >= 3 {
		rank = c.cost(now)
	} else if r := p.rebuffs[by.id]; now < r.until {
		rank = max(rank, r.cost)
	}
	if by.drained {
		rank += leaving
	}
	return rank
}

// part notes what is worth to be known of a relayed way that is forgotten.
func (p *peer) part(c *candidate, now instant) {
	sum := time.Duration(c.sum) * viewStep
	if cost := c.cost(now); c.delay.n >= 3 && cost > sum+sum/4+leastGain {
		if p.rebuffs == nil {
			p.rebuffs = map[landfall.NodeID]rebuff{}
		}
		p.rebuffs[c.way.Via] = rebuff{cost, now.add(resent)}
	}
}

// towards is the cost of the half from the relay to p; 0 is unknown.
func (by *peer) towards(p *peer, now instant) time.Duration {
	if by.slot < len(p.views) && p.views[by.slot].fresh(now) {
		return p.views[by.slot].price()
	}
	if p.slot < len(by.views) && by.views[p.slot].fresh(now) {
		return by.views[p.slot].price()
	}
	return 0
}

// failed reports whether the way through a node has been tried in vain.
func (p *peer) failed(by landfall.NodeID, now instant) bool {
	c := p.at(Way{Via: by})
	return c != nil && (c.life == Gone || c.mute(now))
}

// propose looks for relays that could win, or be the second way where there is
// no other. Their own probes then decide.
func (t *Table) propose(p *peer, now instant) {
	p.expire(now)
	limit := p.limit(now)
	offers := t.offers(p, now)
	for _, o := range offers {
		if c := p.at(Way{Via: o.by.id}); c != nil {
			c.wanted, c.sum = now, uint32(o.sum/viewStep)
		}
	}
	for _, o := range offers {
		if p.at(Way{Via: o.by.id}) == nil && o.rank < limit && p.room(now) {
			c := p.add(Way{Via: o.by.id}, now)
			c.wanted, c.sum, c.drained = now, uint32(o.sum/viewStep), o.by.drained
		}
	}
	p.ways = slices.DeleteFunc(p.ways, func(c *candidate) bool {
		useless := p.useless(c, now)
		if useless {
			p.part(c, now)
		}
		return useless
	})
	maps.DeleteFunc(p.rebuffs, func(_ landfall.NodeID, r rebuff) bool { return r.until <= now })
}

// limit is what the way through a relay that is not known yet may cost, to be
// worth its probes. An idle pair that has two ways wants no others for a little:
// it looks again when it wakes.
func (p *peer) limit(now instant) time.Duration {
	if !p.insured(now) {
		return math.MaxInt64
	}
	cost := p.cheapest(now, nil).cost(now)
	if now < p.free || p.active(now) {
		return cost - cost/50 - leastGain/2
	}
	return cost - cost/5 - idleGain
}

// insured reports whether there are two ways that do not share their fate.
func (p *peer) insured(now instant) bool {
	return p.primary != nil && p.primary.usable(now) &&
		slices.ContainsFunc(p.ways, func(c *candidate) bool { return p.apart(c) && c.usable(now) })
}

// room makes room for one more relayed way, at the cost of the one that was
// among the best longest ago. It reports whether there is any. An idle pair
// does not try one relay after the other: that would cost too many probes.
func (p *peer) room(now instant) bool {
	if _, relayed := p.count(); relayed < maxRelayed {
		return true
	}
	if now >= p.free && !p.active(now) {
		return false
	}
	var out *candidate
	for _, c := range p.ways {
		if c.way.Relayed() && c != p.primary && c != p.backup && c.carry.strikes == 0 &&
			c.wanted < now && (out == nil || c.wanted < out.wanted) {
			out = c
		}
	}
	if out != nil {
		p.part(out, now)
		p.ways = slices.DeleteFunc(p.ways, func(c *candidate) bool { return c == out })
	}
	return out != nil
}

// useless reports whether a relayed way may be forgotten. One that was mute is
// remembered for longer, for it would be found again.
func (p *peer) useless(c *candidate, now instant) bool {
	switch {
	case !c.way.Relayed(), c == p.primary, c == p.backup:
		return false
	case c.carry.strikes > 0:
		return now > c.carry.until.add(muteMost)
	case c.life == Gone:
		return now.since(c.died) > retry
	}
	return now.since(max(c.wanted, c.pinged)) > unwanted
}

// severed gives up the ways through a node that has become unreachable, but
// for those that have just worked all the same.
func (t *Table) severed(by landfall.NodeID, now instant) {
	for _, p := range t.peers {
		if c := p.at(Way{Via: by}); c != nil && c.life != Gone && !c.proved.within(alone, now) {
			c.die(now)
			t.soon(p, now)
		}
	}
}
