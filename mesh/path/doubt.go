package path

import (
	"fmt"
	"time"
)

// The numbers of doubt.
const (
	quiet       = 40 * time.Millisecond  // the least silence that means something
	echo        = 250 * time.Millisecond // how long the peer's doubt is ours
	waitMost    = time.Second            // patience does not wait for longer than this
	patienceFor = 10 * time.Second       // one level of patience is lost after it
	lookMost    = 250 * time.Millisecond // between two looks at the traffic of an active pair
	lookLeast   = 5 * time.Millisecond
	trialFor    = 2 * time.Second // a new primary is watched for as long
	favourFor   = 2 * time.Second // doubts that are only the peer's may cost as much at once
	favourEvery = 5               // and one part in so many for ever
)

// doubt is whether the primary still works.
type doubt struct {
	since    instant // 0: there is none
	why      string
	own      bool          // for a reason of ours, not only the peer's
	guess    bool          // from silence, which may mean nothing
	mild     bool          // there is no sign that anything is wrong, but no sign of life either
	on       *candidate    // the primary when it began
	asked    instant       // since when probes are to say whether a silence means something; 0: none are
	peer     instant       // when the peer last said it doubts
	tab      time.Duration // what the peer's doubts have cost of late
	cleared  instant       // when the last doubt ended
	patience uint8         // doublings of the wait, after doubts for nothing
	eased    instant       // when patience last changed
}

// hot reports whether to probe as fast as may be.
func (p *peer) hot(now instant) bool {
	return p.grave(now) && now.since(p.doubt.since) < hotFor && p.active(now)
}

// grave reports whether there is a doubt that is worth something: one of our
// own, or the peer's for a while. A peer that doubts always is not to have all
// that it is sent doubled.
func (p *peer) grave(now instant) bool {
	d := &p.doubt
	return d.since != 0 && (d.own || d.tab < favourFor)
}

// believe notes that the peer doubts, and what has come of it.
func (p *peer) believe(now instant) {
	d := &p.doubt
	if grave, cost := p.grave(now), now.since(d.peer); d.peer != 0 {
		d.tab = max(0, d.tab-cost/favourEvery)
		if grave {
			d.tab += min(cost, 2*echo)
		}
	}
	d.peer = now
	p.begin("the peer doubts", false, now)
}

// begin begins a doubt of the route in use, or strengthens one.
func (p *peer) begin(why string, own bool, now instant) {
	d := &p.doubt
	if !p.active(now) {
		return
	}
	if d.since != 0 {
		d.own, d.mild = d.own || own, d.mild && !own
		return
	}
	d.since, d.why, d.own, d.guess, d.mild, d.on, d.asked = now, why, own, false, !own, p.primary, 0
	p.ignite(now)
}

// ignite has the ways in use asked at once.
func (p *peer) ignite(now instant) {
	for _, c := range []*candidate{p.primary, p.backup} {
		if c != nil && c.life != Gone {
			c.volley, c.next = volley, now
		}
	}
}

// resolve ends a doubt if the primary has answered what was asked since.
func (p *peer) resolve(now instant) {
	d, c := &p.doubt, p.primary
	if d.since == 0 {
		p.heed(now)
		return
	}
	answered := c != nil && c.usable(now) && c.proved >= d.since && c.misses == 0
	carries := answered && (c.carry.silent < muteAfter || now.since(d.since) > hotFor)
	hopeless := c == nil || c.life == Gone
	if p.active(now) && !hopeless && (!carries || d.peer.within(echo, now)) {
		d.own = d.own && !carries // else two that doubt would do so for each other's sake
		return
	}
	if d.guess && answered {
		d.calm(now)
	}
	p.tally.count(c, d.on, answered)
	d.since, d.own, d.on, d.cleared = 0, false, nil, now
}

// calm makes who doubted for nothing more patient.
func (d *doubt) calm(now instant) { d.patience, d.eased = min(d.patience+1, 4), now }

// watch looks at the traffic of an active pair: has the peer been silent for
// longer than it should? It also says when to look again.
func (p *peer) watch(now instant) {
	d, c := &p.doubt, p.primary
	if d.patience > 0 && now.since(d.eased) > patienceFor {
		d.patience, d.eased = d.patience-1, now
	}
	wait := c.delay.late(spare)
	wait = max(wait, min(wait<<d.patience, waitMost))
	// What was sent before a ping that was answered, may just want no answer.
	if c.unanswered == 0 || c.proved > c.lastSent {
		p.look = now.add(min(wait/2, lookMost))
		if heard, _ := p.hears(); heard.within(lookMost, now) {
			p.look = now.add(quiet / 2)
		}
		return
	}
	heard, still := p.still()
	deadline, hush := max(c.unanswered, c.answered).add(wait), heard.add(still)
	busy := still > 0 && heard > d.cleared && heard.since(c.lastSent) < still
	switch {
	case busy && now >= hush:
		p.inquire(fmt.Sprintf("silent for %v", short(now.since(heard))), now)
	case now >= deadline:
		p.inquire(fmt.Sprintf("no answer to data for %v", short(now.since(c.unanswered))), now)
	}
	p.look = min(deadline, now.add(lookMost))
	if busy {
		p.look = min(p.look, hush)
	}
	p.look = max(p.look, now.add(lookLeast))
	if d.since != 0 || d.asked != 0 { // probes say more now
		p.look = now.add(Hot)
	}
}

// still is when data last came, and how long it has to stay away to mean
// something; 0 if that is not known. It means more while we go on sending: else
// those at both ends may just have said all they had to say.
func (p *peer) still() (heard instant, still time.Duration) {
	heard, gap := p.hears()
	if gap <= 0 {
		return heard, 0
	}
	still = max(quiet, 4*gap)
	if c := p.primary; time.Duration(c.lastSent-c.unanswered) >= still/2 {
		return heard, still << (max(p.doubt.patience, 2) - 2)
	}
	return heard, still << p.doubt.patience
}

// hears is when data last came from the peer, and how often it usually does.
func (p *peer) hears() (last instant, gap time.Duration) {
	for _, c := range p.ways {
		if c.lastHeard > last {
			last, gap = c.lastHeard, c.gap
		}
	}
	return last, gap
}

// trial reports whether the primary has yet to show that it carries data.
func (p *peer) trial(now instant) bool {
	return p.active(now) && p.primary != nil && !p.primary.carry.moved && p.primary.usable(now) &&
		now.since(max(p.switched, p.roused)) < trialFor
}

// doubled reports whether interactive datagrams go both ways.
func (p *peer) doubled(now instant) bool {
	return p.backup != nil && (p.grave(now) || p.trial(now) && p.leads())
}

// leads reports whether what goes by the primary surely arrives before its copy
// by the backup, so that the peer counts it for the primary.
func (p *peer) leads() bool {
	const tie = 2 * time.Millisecond
	if p.backup == nil || p.backup.delay.n == 0 {
		return true
	}
	a, b := &p.primary.delay, &p.backup.delay
	return a.smooth+2*a.swing+tie < b.smooth-2*b.swing
}

// short rounds a duration for people.
func short(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
