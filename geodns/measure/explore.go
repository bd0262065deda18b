package measure

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"
)

// When edges are tried.
const (
	alive  = time.Hour     // a prefix that nobody came from for so long has no traffic
	pause  = 3             // epochs between two trials of one prefix
	retry  = 12            // epochs between two trials of one edge that nobody came to
	review = 6 * time.Hour // after which an edge is tried again that is as good as the leader
)

// trial is an edge that may be tried for a prefix.
type trial struct {
	row   int
	edge  uint16
	known bool          // it was measured before
	gain  time.Duration // what may be won by it; below 0, what is lost
	draw  uint64
}

// explore chooses who is tried in this epoch: what is not known at all before
// what may have changed, and in each the greatest hope first, as long as both
// the traffic and the prefixes on trial are within bounds.
func (s *survey) explore() {
	if s.first {
		s.choose()
	}
	stats := &s.book.stats
	stats.Explored, stats.OnTrial = 0, 0
	for _, r := range s.rows {
		if r.entry.trial > 0 {
			stats.Explored++
			stats.OnTrial += part(r.weight, s.total)
		}
	}
}

func (s *survey) choose() {
	var trials []trial
	var living int
	for i, r := range s.rows {
		e := r.entry
		e.trial, e.guests[was], e.guests[tries] = 0, e.guests[tries], 0
		if r.weight == 0 || seconds(e.live, s.now) > alive {
			continue
		}
		living++
		if t, ok := s.candidate(i); ok {
			trials = append(trials, t)
		}
	}
	slices.SortFunc(trials, func(a, b trial) int {
		return cmp.Or(trueFirst(!a.known, !b.known), cmp.Compare(b.gain, a.gain), cmp.Compare(a.draw, b.draw), cmp.Compare(a.row, b.row))
	})
	share := max(float64(s.book.cfg.Explore), 0)
	prefixes, traffic, most := int(share*float64(living)), share*s.total, even(float64(s.book.cfg.Cap))
	for _, t := range trials {
		r, site := &s.rows[t.row], s.book.edges[t.edge].site
		if prefixes == 0 || r.weight > traffic || s.drawn[site].beyond(most, 1, r.parts) {
			continue
		}
		prefixes, traffic = prefixes-1, traffic-r.weight
		s.drawn[site].add(1, r.parts)
		s.try(t)
	}
}

func (s *survey) try(t trial) {
	e := s.rows[t.row].entry
	epoch := uint32(s.epoch)
	e.trial, e.tried, e.guests[tries] = t.edge+1, epoch, s.book.edges[t.edge].site+1
	e.cell(t.edge).tried = epoch
}

// candidate is the edge that a prefix should be tried with.
func (s *survey) candidate(row int) (best trial, ok bool) {
	k, e := s.rows[row].key, s.rows[row].entry
	if e.tried != 0 && uint64(e.tried)+pause > s.epoch {
		return trial{}, false
	}
	v := s.look(k, e, nil)
	if len(v.before) == 0 || v.rtt[v.before[0]] == 0 {
		return trial{}, false // the leader itself is not known yet
	}
	for rank, edge := range v.edges {
		id := s.book.edges[edge].id
		if s.site(rank) == s.site(v.before[0]) || !s.up(id) || !s.room(id) {
			continue
		}
		t := trial{row: row, edge: edge, draw: s.draw(k, uint64(edge))}
		if !s.hope(e, rank, &t) {
			continue
		}
		if !ok || s.sooner(t, best) {
			best, ok = t, true
		}
	}
	return best, ok
}

// sooner reports whether a of one prefix is to be tried before b.
func (s *survey) sooner(a, b trial) bool {
	if a.known != b.known {
		return b.known
	}
	if a.gain != b.gain {
		return a.gain > b.gain
	}
	return a.draw < b.draw
}

// hope is what may be won by an edge; false if it cannot win, or not now.
func (s *survey) hope(e *entry, rank int, t *trial) bool {
	v := &s.sight
	leader := v.before[0]
	now := v.cost[leader]
	least := s.least(rank)
	if least >= now-margin(now) {
		return false // light itself would need too long
	}
	c := e.find(v.edges[rank])
	if c != nil && c.tried != 0 && uint64(c.tried)+retry > s.epoch {
		return false
	}
	if c != nil && c.windows >= enoughWindows && c.count >= enoughCount {
		then := c.estimate()
		t.known, t.gain = true, now-then
		// The further it was behind, the later it is looked at again.
		behind := max(then-now, 0)
		return seconds(c.last, s.now) >= review+time.Duration(float64(review)*float64(behind)/float64(margin(now)))
	}
	if c != nil && c.rumour > 0 {
		t.gain = now - max(time.Duration(c.rumour)*time.Microsecond, least)
		return true
	}
	// Where the leader is as far as geography has it, geography is right about
	// the others, too; the less it is, the more anything is possible.
	trust := min(float64(v.guess[leader].RTT)/float64(now), 1)
	t.gain = time.Duration(trust*float64(now-max(v.guess[rank].RTT, least)) + (1-trust)*float64(now-least)/2)
	return true
}

// least is the shortest round trip that is possible with what others measured:
// clients that are near one place are not near another.
func (s *survey) least(rank int) (least time.Duration) {
	for other, rtt := range s.sight.rtt {
		if rtt > 0 {
			least = max(least, s.fastest[s.site(rank)][s.site(other)]-rtt)
		}
	}
	return least
}

// draw is a number that looks random, and is the same on every name server.
func (s *survey) draw(k key, of uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s.book.m.Network))
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], s.epoch)
	binary.BigEndian.PutUint64(b[8:], uint64(k))
	binary.BigEndian.PutUint64(b[16:], of)
	h.Write(b[:])
	x := h.Sum64() // FNV hardly stirs its last bytes
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
