package measure

import (
	"cmp"
	"slices"
)

// claim is a prefix whose clients would go elsewhere than geography has them.
type claim struct {
	key       key
	site      uint16 // where to
	class     int    // as session.credible has it
	incumbent bool   // they went there in the last epoch
	draw      uint64 // decides between equals
}

// rank finds the order of every prefix.
func (s *session) rank() {
	stats := &s.book.stats
	stats.Contradicted, stats.Withheld = 0, 0
	var claims []claim
	for _, k := range s.keys {
		e := s.book.entries[k]
		v := s.look(k, e, nil)
		if v.contradicted {
			stats.Contradicted++
		}
		if len(v.order) == 0 {
			e.order = nil
			continue
		}
		s.count(e)
		s.wait(e)
		if to := s.site(v.order[0]); to != s.site(0) {
			claims = append(claims, claim{k, to, s.credible(), s.site(v.before[0]) == to, s.draw(k, uint64(to))})
			continue
		}
		s.adopt(e)
	}
	slices.SortFunc(claims, func(a, b claim) int {
		incumbent := 0
		if a.incumbent != b.incumbent {
			if incumbent = 1; a.incumbent {
				incumbent = -1
			}
		}
		return cmp.Or(cmp.Compare(a.class, b.class), incumbent, cmp.Compare(a.draw, b.draw), cmp.Compare(a.key, b.key))
	})
	for _, c := range claims {
		s.grant(c)
	}
	for i := range s.drawn {
		s.book.sites[i].granted(part(s.drawn[i], s.total), s.first)
	}
}

// count counts the epochs in which another place was better.
func (s *session) count(e *entry) {
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
func (s *session) wait(e *entry) {
	v := &s.sight
	if e.streak < patience && s.site(v.order[0]) != s.site(v.before[0]) {
		v.order = append(v.order[:0], v.before...)
	}
}

// grant lets clients go where they are claimed, as long as that place draws no
// more than it may; else where they would go without it.
func (s *session) grant(c claim) {
	e, weight := s.book.entries[c.key], s.weight[c.key]
	var distrusted []uint16
	for {
		s.look(c.key, e, distrusted)
		if len(distrusted) == 0 {
			s.wait(e)
		}
		to := s.site(s.sight.order[0])
		if to == s.site(0) || s.drawn[to]+weight <= s.allowed(to)*s.total {
			if to != s.site(0) {
				s.drawn[to] += weight
			}
			s.adopt(e)
			return
		}
		if len(distrusted) == 0 {
			s.book.stats.Withheld++
		}
		distrusted = append(distrusted, to)
	}
}

// allowed is which part of the traffic measurement may bring to a site.
func (s *session) allowed(site uint16) float64 {
	cfg := &s.book.cfg
	return min(float64(cfg.Cap), s.book.sites[site].base+float64(cfg.Step))
}

// granted keeps what a site drew, which is what it may grow from in the next
// epoch.
func (s *site) granted(drawn float64, first bool) {
	if first {
		s.base = s.drawn
	}
	s.drawn = drawn
}

// adopt makes the order in sight that of the entry.
func (s *session) adopt(e *entry) {
	v := &s.sight
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
	s.host(e)
}

// mates reports whether two edges stand at one place, and none is worse than
// the other.
func (s *session) mates(a, b int) bool {
	v := &s.sight
	return s.site(a) == s.site(b) && !v.apart[a] && !v.apart[b]
}

// host notes where answers lead from now on.
func (s *session) host(e *entry) {
	sites := e.guests[:0]
	for _, rank := range s.sight.order {
		edge := s.book.edges[s.sight.edges[rank]]
		if len(sites) < told && s.up(edge.id) && !slices.Contains(sites, edge.site+1) {
			sites = append(sites, edge.site+1)
		}
	}
	for len(sites) < told {
		sites = append(sites, 0)
	}
}
