package path

import (
	"slices"
	"time"
)

// told is what we last told the others about our direct way to a peer, and
// when, counted in changes.
type told struct {
	rtt     time.Duration // 0: none that works
	version uint32
}

// publish notes whether our direct way to a peer has changed so that others
// should know. It reports whether it has just been lost.
func (t *Table) publish(p *peer, now instant) (lost bool) {
	var rtt time.Duration
	if c := p.direct(now); c != nil {
		rtt = c.delay.smooth
	}
	old := p.told.rtt
	if (rtt == 0) != (old == 0) || (rtt-old).Abs() > old/20+time.Millisecond {
		t.version++
		p.told = told{rtt, t.version}
	}
	return rtt == 0 && old != 0
}

// reports are what to tell a peer now: what has changed since it was last
// told, then the others in turn, turns at most.
func (t *Table) reports(to *peer, n, turns int, now instant) []Report {
	news := t.news(to)
	if len(news) > n {
		news = news[:n]
	}
	if len(news) > 0 {
		to.heardOf = news[len(news)-1].told.version
	}
	for range t.peers {
		if len(news) >= min(n, turns) {
			break
		}
		to.turn = (to.turn + 1) % len(t.peers)
		if p := t.peers[to.turn]; p != to && p.told.rtt != 0 && !slices.Contains(news, p) {
			news = append(news, p)
		}
	}
	list := make([]Report, 0, len(news))
	for _, p := range news {
		r := Report{Node: p.id}
		if c := p.direct(now); c != nil {
			r.RTT, r.Loss = c.delay.smooth, c.loss(now)
		}
		list = append(list, r)
	}
	return list
}

// news are the peers about which there is something new to tell, oldest first.
func (t *Table) news(to *peer) []*peer {
	var list []*peer
	if to.heardOf == t.version {
		return nil
	}
	for _, p := range t.peers {
		if p != to && int32(p.told.version-to.heardOf) > 0 {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *peer) int { return int(int32(a.told.version - b.told.version)) })
	return list
}
