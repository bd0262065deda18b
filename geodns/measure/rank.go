package measure

import "slices"

// rank finds the order of every prefix. Those that send nobody elsewhere than
// geography does need nobody's leave.
func (s *survey) rank() {
	stats := &s.book.stats
	stats.Contradicted, stats.Withheld = 0, 0
	var claims []claim
	for i, r := range s.rows {
		v := s.look(r.key, r.entry, nil)
		if len(v.order) == 0 {
			r.entry.order = nil
			continue
		}
		if v.contradicted {
			stats.Contradicted++
		}
		s.count(r.entry)
		s.wait(r.entry)
		if c := s.claim(i); c.draws == (draws{}) {
			s.adopt(i)
		} else {
			claims = append(claims, c)
		}
	}
	s.decide(claims)
}

// count counts the epochs in which another place was better.
func (s *survey) count(e *entry) {
	v := &s.sight
	switch rival := s.site(v.order[0]); {
	case rival == s.site(v.before[0]):
		e.streak = 0
	case rival != e.rival || e.streak == 0:
		e.rival, e.streak = rival, 1
	case s.first:
		e.streak = min(e.streak+1, patience)
	}
}

// wait keeps the order until now while these are too few.
func (s *survey) wait(e *entry) {
	v := &s.sight
	if e.streak < patience && s.site(v.order[0]) != s.site(v.before[0]) {
		v.order = append(v.order[:0], v.before...)
	}
}

// adopt makes the order in sight that of the prefix.
func (s *survey) adopt(row int) {
	v, e := &s.sight, s.rows[row].entry
	leader := s.site(0)
	if len(e.order) > 0 {
		leader = s.book.edges[e.order[0]].site
	}
	if s.site(v.order[0]) != leader {
		s.book.stats.Changes++
	}
	e.order = nil
	for i, rank := range v.order[:v.told()] {
		if v.apart[rank] || !slices.ContainsFunc(v.order[:i], func(r int) bool { return s.mates(r, rank) }) {
			e.order = append(e.order, v.edges[rank])
		}
	}
	s.vouch(e)
	s.host(row)
}

// vouch says which estimates others than the prefix itself may go by. Who asks
// through a resolver goes where the clients of many prefixes are near, so that
// each estimate moves more than its prefix, and must move nobody whom the cap
// has not granted: an edge is nearer than geography has it only where the lead
// was granted to it, and a leader by geography alone is no further.
func (s *survey) vouch(e *entry) {
	v := &s.sight
	for i := range e.cells {
		e.cells[i].vouched = false
	}
	granted, leader := s.draws()[0].part > 0, s.site(v.order[0])
	for rank, edge := range v.edges {
		c, guess := e.find(edge), v.guess[rank].RTT
		switch {
		case c == nil || v.doubted[rank]:
		case s.site(rank) == leader:
			c.vouched = granted
		default:
			c.vouched = guess > 0 && c.estimate() >= guess
		}
	}
}

// mates reports whether two edges stand at one place, and none is worse than
// the other.
func (s *survey) mates(a, b int) bool {
	v := &s.sight
	return s.site(a) == s.site(b) && !v.apart[a] && !v.apart[b]
}

// host notes where answers lead from now on.
func (s *survey) host(row int) {
	e := s.rows[row].entry
	clear(e.guests[:told])
	clear(e.guests[more:])
	for _, rank := range s.sight.order {
		if edge := s.book.edges[s.sight.edges[rank]]; s.up(edge.id) {
			welcome(e.guests[:told], edge.site)
		}
	}
	if s.world.Also == nil {
		return
	}
	for _, id := range s.world.Also(s.rows[row].key.prefix()) {
		if i, ok := s.book.byID[id]; ok && s.book.edges[i].active {
			welcome(e.guests[more:], s.book.edges[i].site)
		}
	}
}

// welcome adds a site where there is room for it.
func welcome(guests []uint16, site uint16) {
	for i, g := range guests {
		if g == 0 || g == site+1 {
			guests[i] = site + 1
			return
		}
	}
}
