package measure

import (
	"cmp"
	"slices"
)

// claim is a prefix whose clients would go elsewhere than geography has them.
type claim struct {
	row       int
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
	for i, r := range s.rows {
		k, e := r.key, r.entry
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
			claims = append(claims, claim{i, to, s.credible(), s.site(v.before[0]) == to, s.draw(k, uint64(to))})
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
		return cmp.Or(cmp.Compare(a.class, b.class), incumbent, cmp.Compare(a.draw, b.draw), cmp.Compare(a.row, b.row))
	})
	s.allow()
	for _, c := range claims {
		s.grant(c)
	}
	s.spend()
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
	k, e, weight := s.rows[c.row].key, s.rows[c.row].entry, s.rows[c.row].weight
	var distrusted []uint16
	for {
		s.look(k, e, distrusted)
		if len(distrusted) == 0 {
			s.wait(e)
		}
		to := s.site(s.sight.order[0])
		if to == s.site(0) || s.drawn[to]+weight <= s.book.sites[to].may*s.total {
			if to != s.site(0) {
				s.drawn[to] += weight
			}
			s.adopt(e)
			return
		}
		if len(distrusted) == 0 {
			s.book.stats.Withheld++
		}
		s.withheld[to] = true
		distrusted = append(distrusted, to)
	}
}

// allow lets every site draw a step more than in the last epoch.
func (s *session) allow() {
	for i := range s.book.sites {
		if site := &s.book.sites[i]; s.first {
			site.may = min(site.may+float64(s.book.cfg.Step), float64(s.book.cfg.Cap))
		}
	}
}

// spend takes back what a site did not draw, unless something was withheld from
// it: that may weigh more than a step.
func (s *session) spend() {
	for i := range s.book.sites {
		if site := &s.book.sites[i]; !s.withheld[i] {
			site.may = min(site.may, part(s.drawn[i], s.total))
		}
	}
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
