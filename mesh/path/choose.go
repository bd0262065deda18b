package path

import (
	"fmt"
	"time"
)

// Reluctance of the choice.
const (
	freeFor     = 5 * time.Second        // a peer or its ways are new: any better way is taken
	freeAgain   = 3 * time.Second        // likewise for a pair that has been idle for long
	leastGain   = 500 * time.Microsecond // what is not better by this is not better
	patience    = 10 * time.Second       // a slightly better way must stay so for as long
	holdDown    = 30 * time.Second       // after a switch, before one for a slight gain
	confirmRest = 10 * time.Second       // between two closer looks at a challenger
	confirmIdle = 5 * time.Minute        // likewise while the pair is idle
)

// choose brings the route up to date.
func (p *peer) choose(now instant) {
	if best, why := p.pick(now); best != p.primary {
		p.change(best, why, now)
	} else if p.why == forWant && best != nil && best.usable(now) {
		p.why = p.atFirst(best)
	}
	p.backup = p.second(now)
	p.resolve(now)
}

func (p *peer) change(best *candidate, why string, now instant) {
	p.previous, p.primary, p.switched, p.why = p.primary, best, now, why
	for _, c := range p.ways {
		c.better = 0
	}
	if best != nil {
		best.next = min(best.next, now.add(p.pace(best, now)))
	}
}

// pick is the way to use now, and why if it is another.
func (p *peer) pick(now instant) (best *candidate, why string) {
	cur := p.primary
	if cur != nil && !p.has(cur) {
		cur = nil
	}
	best = p.cheapest(now, nil)
	switch {
	case best == nil:
		return p.least(cur, now)
	case cur == nil || cur.life == Fresh && cur.delay.n == 0:
		return best, p.atFirst(best)
	case !cur.usable(now):
		return best, fmt.Sprintf("%v is %v", cur.way, cur.lives(now))
	case cur.drained && best.worse(now) == 0:
		return best, "the node between is about to leave"
	case p.arrived(now):
		return p.moved, "the peer speaks from there now"
	}
	if ch := p.challenger(now); ch != nil {
		if why := p.beats(ch, cur, now); why != "" {
			return ch, why
		}
	}
	return cur, ""
}

// forWant is why a way is used that carries nothing.
const forWant = "nothing else answers"

// least is the way to use when none is known to work: one that at least
// answers, the one in use, or the map's first.
func (p *peer) least(cur *candidate, now instant) (best *candidate, why string) {
	if cur != nil && cur.answers() {
		return cur, ""
	}
	for _, c := range p.ways {
		if c.answers() {
			return c, forWant
		}
	}
	if cur != nil {
		return cur, ""
	}
	for _, c := range p.ways { // a learned address must have answered
		if !c.learned && !c.way.Relayed() {
			return c, "the map names it"
		}
	}
	return nil, "no way is known"
}

// cheapest is the way of least cost among those that are usable and not but;
// what owes an answer comes last, then what died lately.
func (p *peer) cheapest(now instant, but *candidate) *candidate {
	var best *candidate
	for _, c := range p.ways {
		if c == but || !c.usable(now) {
			continue
		}
		if best == nil || c.worse(now) < best.worse(now) ||
			c.worse(now) == best.worse(now) && c.cost(now) < best.cost(now) {
			best = c
		}
	}
	return best
}

// worse ranks usable ways by reasons stronger than cost.
func (c *candidate) worse(now instant) (rank int) {
	if c.misses > 0 {
		rank += 2
	}
	if !c.trusted(now) || c.drained {
		rank++
	}
	return rank
}

// challenger is the best way that may replace a primary which works.
func (p *peer) challenger(now instant) *candidate {
	var best *candidate
	for _, c := range p.ways {
		if c != p.primary && c.usable(now) && c.worse(now) == 0 && c.delay.n >= 3 &&
			(best == nil || c.cost(now) < best.cost(now)) {
			best = c
		}
	}
	for _, c := range p.ways {
		if c != best {
			c.better = 0
		}
	}
	return best
}

// beats says why the challenger replaces the primary; "" if it does not.
func (p *peer) beats(ch, cur *candidate, now instant) string {
	a, b := ch.cost(now), cur.cost(now)
	gain, slight, noise := b-a, b/50+leastGain, (ch.delay.swing+cur.delay.swing)/4
	held := p.previous != nil && p.switched.within(holdDown, now)
	switch {
	case now < p.free && gain > slight/2+max(ch.delay.scatter(), cur.delay.scatter()) && cur.delay.n >= 3:
		return verdict(ch, cur, now)
	case p.clearly(ch, cur, now) && (!held || gain > b/5):
		return verdict(ch, cur, now)
	case gain <= slight+noise:
		ch.better = 0
		return ""
	}
	if ch.better == 0 {
		ch.better = now
	}
	if held || now.since(ch.better) < patience {
		return ""
	}
	return verdict(ch, cur, now)
}

// clearly reports whether the challenger's last three answers were all better
// by a fifth than the primary's. If the last one was, more are asked for.
func (p *peer) clearly(ch, cur *candidate, now instant) bool {
	_, most, ok := ch.costs(now)
	least, _, ok2 := cur.costs(now)
	if ok && ok2 && most < least-least/5-leastGain {
		return true
	}
	rest := confirmRest
	if !p.active(now) && now >= p.free {
		rest = confirmIdle
	}
	if ch.delay.last[0] < cur.delay.last[0]*4/5-leastGain && !p.confirmed.within(rest, now) {
		p.confirmed = now
		for _, c := range []*candidate{ch, cur} {
			c.settling, c.next = max(c.settling, 3), now
		}
	}
	return false
}

// verdict is why a way is better, for people.
func verdict(ch, cur *candidate, now instant) string {
	if a, b := ch.delay.smooth, cur.delay.smooth; a < b {
		return fmt.Sprintf("%v instead of %v", short(a), short(b))
	}
	return fmt.Sprintf("loses %.1f %% instead of %.1f %%", 100*ch.loss(now), 100*cur.loss(now))
}

// second is the way to fall back on. It is kept while it is not much worse
// than the best.
func (p *peer) second(now instant) *candidate {
	best, cur := p.spare(now), p.backup
	if best == nil || cur == nil || cur == p.primary || !p.has(cur) || !cur.usable(now) || cur.worse(now) > best.worse(now) ||
		!p.apart(cur) && p.apart(best) {
		return best
	}
	if cost := best.cost(now); cur.cost(now) > cost+cost/4+leastGain {
		return best
	}
	return cur
}

// spare is the cheapest way beside the primary, of those apart from it if
// there are any that are no worse off.
func (p *peer) spare(now instant) *candidate {
	best := p.cheapest(now, p.primary)
	if best == nil || p.apart(best) {
		return best
	}
	for _, c := range p.ways {
		if p.apart(c) && c.usable(now) && c.worse(now) <= best.worse(now) &&
			(!p.apart(best) || c.cost(now) < best.cost(now)) {
			best = c
		}
	}
	return best
}

// apart reports whether a way does not share the primary's fate: two addresses
// of one machine end together more often than not, whatever their families.
func (p *peer) apart(c *candidate) bool {
	return c != p.primary && (p.primary == nil || c.way.Relayed() || p.primary.way.Relayed())
}

// arrived reports whether the peer has answered from where it moved to, and
// owes an answer from where it was.
func (p *peer) arrived(now instant) bool {
	m := p.moved
	return m != nil && m != p.primary && p.has(m) && m.usable(now) &&
		m.proved >= p.movedAt && p.primary.proved < p.movedAt && p.primary.misses > 0
}
