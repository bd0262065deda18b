package path

import (
	"net/netip"
	"slices"
	"time"

	"landfall"
)

const (
	maxLearned = 4 // direct ways to one peer that the map does not name
	maxNamed   = 8 // that it does
)

// peer is one node with the ways to it.
type peer struct {
	id    landfall.NodeID
	slot  int          // its number in other peers' views
	ways  []*candidate // the map's in its order, then as found
	views []view       // of its ways to others, by their slots

	primary   *candidate // nil only while no way is known
	backup    *candidate
	previous  *candidate // the primary before
	why       string     // it is the primary
	switched  instant    // when it became it
	free      instant    // until then any better way is taken
	confirmed instant    // when a challenger was last looked at more closely
	moved     *candidate // the address the peer was first heard from at movedAt
	movedAt   instant

	doubt   doubt
	busy    instant // the last data
	roused  instant // when the pair became active
	lively  instant // when many datagrams last went and came
	weight  uint32  // datagrams since weighed
	weighed instant
	look    instant // when to look at the traffic, while it is active
	ponder  instant // when to look for relays

	rebuffs map[landfall.NodeID]rebuff // relays to it that are not what they seem

	copied instant // when datagrams last went both ways
	mixed  bool    // some have, or the primary was another, since traffic was last told

	route   Route // as last told by an Event
	alive   bool  // likewise
	known   bool  // it has been told whether the peer is alive
	drained bool  // it is about to leave: it relays where nothing else can
	refuses bool  // it relays nothing
	told    told
	tally   *Doubts // the table's
	heardOf uint32  // the newest of our reports that it was sent
	turn    int     // whom it was last told about, going round

	due  instant // when Tick has something to do
	heap int     // its place in the table's heap
}

func (p *peer) at(w Way) *candidate {
	if i := slices.IndexFunc(p.ways, func(c *candidate) bool { return c.way == w }); i >= 0 {
		return p.ways[i]
	}
	return nil
}

func (p *peer) has(c *candidate) bool { return slices.Contains(p.ways, c) }

// add adds a way, to be probed at once.
func (p *peer) add(w Way, now instant) *candidate {
	c := &candidate{way: w, next: now, asked: now}
	p.ways = append(p.ways, c)
	return c
}

// name makes the ways those of the map, and such as were found beside. It
// reports whether there are new ones.
func (p *peer) name(endpoints []netip.AddrPort, now instant) (news bool) {
	var list []*candidate
	for _, a := range endpoints {
		c := p.at(Way{Addr: a})
		if c == nil && a.IsValid() && len(list) < maxNamed {
			c, news = p.add(Way{Addr: a}, now), true
		}
		if c != nil && !slices.Contains(list, c) {
			c.learned = false
			list = append(list, c)
		}
	}
	for _, c := range p.ways {
		if (c.learned || c.way.Relayed()) && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	p.ways = list
	return news
}

// learn takes a way that the peer was heard on. A relay that it has found is
// worth a try only while the pair is active or has too few ways.
func (p *peer) learn(w Way, now instant) *candidate {
	learned, relayed := p.count()
	curious := now < p.free || p.active(now) || !p.insured(now)
	switch {
	case !w.IsValid(), !w.Relayed() && learned >= maxLearned:
		return nil
	case w.Relayed() && (relayed >= maxRelayed || !curious):
		return nil
	}
	c := p.add(w, now)
	c.learned, c.pinged = true, now
	if w.Relayed() {
		return c
	}
	p.moved, p.movedAt = c, now
	if p.primary != nil {
		p.begin("the peer speaks from another address", true, now)
		p.primary.next = now
	}
	return c
}

// count counts learned addresses and relayed ways.
func (p *peer) count() (learned, relayed int) {
	for _, c := range p.ways {
		switch {
		case c.way.Relayed():
			relayed++
		case c.learned:
			learned++
		}
	}
	return learned, relayed
}

// active reports whether data has lately gone or come.
func (p *peer) active(now instant) bool { return p.busy.within(activeFor, now) }

// weigh counts datagrams that went or came.
func (p *peer) weigh(more uint32, now instant) {
	if !p.weighed.within(activeFor, now) {
		p.weighed, p.weight = now, 0
	}
	if p.weight += more; p.weight >= lightly {
		p.lively = now
	}
}

// light reports whether only few datagrams have gone and come lately.
func (p *peer) light(now instant) bool { return !p.lively.within(activeFor, now) }

// rouse notes when data last went or came, and reports whether that makes an
// idle pair active. What is known about its ways may be old by then: what is
// sent is in doubt until one answers.
func (p *peer) rouse(last, now instant, sent bool) bool {
	idle := !p.active(now)
	pause := now.since(p.busy)
	p.busy = max(p.busy, last)
	if !idle {
		return false
	}
	p.roused, p.look, p.ponder = now, now, now
	if pause > time.Minute && !p.switched.within(holdDown, now) {
		p.free = max(p.free, now.add(freeAgain))
	}
	for _, c := range p.ways {
		if next := now.add(otherInterval); c == p.primary || c == p.backup || pause > longPause {
			c.next = now
		} else {
			c.next = min(c.next, next)
		}
	}
	if sent && p.doubt.since == 0 {
		p.begin("first data after a pause", true, now)
		p.doubt.mild = p.doubt.since == now
	}
	return true
}

// speaks reports whether the peer is alive, whatever its ways.
func (p *peer) speaks(now instant) bool {
	heard, _ := p.hears()
	if heard.within(alone, now) {
		return true
	}
	return slices.ContainsFunc(p.ways, (*candidate).answers)
}

// settle brings the peer up to date and tells what has changed by it.
func (p *peer) settle(now instant) (events []Event) {
	before := p.primary
	p.judge(now)
	p.ways = slices.DeleteFunc(p.ways, func(c *candidate) bool {
		return c.learned && c.life == Gone && !c.way.Relayed() && !max(c.lastHeard, c.pinged).within(alone, now)
	})
	p.choose(now)
	r := p.current(now)
	if r.Doubt || p.route.Doubt {
		p.copied = now
	}
	p.mixed = p.mixed || r.Doubt || p.route.Doubt || r.Primary != p.route.Primary
	if r != p.route {
		p.route = r
		events = append(events, Event{p.id, Routed, r, p.explain(before)})
	}
	alive := p.speaks(now)
	decided := alive || !slices.ContainsFunc(p.ways, func(c *candidate) bool { return c.life == Fresh })
	if decided && (alive != p.alive || !p.known) {
		if alive {
			p.free = now.add(freeFor)
		}
		p.alive, p.known = alive, true
		kind := Dead
		if alive {
			kind = Alive
		}
		events = append(events, Event{p.id, kind, p.route, p.explain(before)})
	}
	return events
}

// current is the route as it is now.
func (p *peer) current(now instant) (r Route) {
	if p.primary != nil {
		r.Primary, r.MTU = p.primary.way, p.primary.mtu()
	}
	if p.backup != nil {
		r.Backup, r.BackupMTU, r.Doubt = p.backup.way, p.backup.mtu(), p.doubled(now)
	}
	if c := p.direct(now); c != nil {
		r.Direct, r.DirectMTU = c.way.Addr, c.mtu()
	}
	return r
}

// explain is why the route is as it is, or why it is another than before.
func (p *peer) explain(before *candidate) string {
	if p.doubt.since != 0 && p.primary == before {
		return p.doubt.why
	}
	return p.why
}
