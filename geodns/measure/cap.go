package measure

import (
	"cmp"
	"slices"
)

// A place may draw clients to itself by being first, or by being second: some
// take the second address they are told.
const second = 0.5

// draws are the parts of a prefix's traffic that an order brings to the places
// it puts first, beyond what geography gives them.
type draws [told]struct {
	site uint16
	part float64 // 0: nothing
}

// draws are those of the order in sight.
func (s *survey) draws() (d draws) {
	v := &s.sight
	geography := s.top(nil)
	order := s.top(v.order)
	if order[0] != geography[0] {
		d[0].site, d[0].part = order[0], 1
	}
	if to := order[1]; to != geography[0] && to != geography[1] && to != order[0] {
		d[1].site, d[1].part = to, second
	}
	return d
}

// top are the first places of an order, nil for geography's; the first again
// if there are no others.
func (s *survey) top(order []int) (sites [told]uint16) {
	n := 0
	for i := range s.sight.edges {
		rank := i
		if order != nil {
			rank = order[i]
		}
		if site := s.site(rank); n < told && !slices.Contains(sites[:n], site) {
			sites[n] = site
			n++
		}
	}
	for ; n < told; n++ {
		sites[n] = sites[0]
	}
	return sites
}

// claim is a prefix whose clients would go elsewhere than geography has them.
type claim struct {
	row       int
	draws     draws
	class     int    // as survey.credible has it
	incumbent bool   // they went there until now
	draw      uint64 // decides between equals
}

// claim is that of the order in sight.
func (s *survey) claim(row int) claim {
	v := &s.sight
	c := claim{row: row, draws: s.draws()}
	if c.draws != (draws{}) {
		c.class, c.incumbent = s.credible(v.order[0]), s.top(v.before) == s.top(v.order)
		c.draw = s.draw(s.rows[row].key, uint64(c.draws[0].site))
	}
	return c
}

// credible tells how well what an edge claims fits the rest: the lower, the
// better. The other edges, who have nothing to gain, should see the clients as
// far away as that edge's place is; and geography, which may be wrong, should
// not have them where light could not answer so soon.
func (s *survey) credible(rank int) (class int) {
	v := &s.sight
	alone := true
	for other, rtt := range v.rtt {
		if rtt == 0 || s.site(other) == s.site(rank) {
			continue
		}
		alone = false
		if rtt+v.cost[rank] < s.typical[s.site(other)][s.site(rank)] {
			class |= 2
		}
	}
	if alone {
		class |= 2
	}
	if v.cost[rank] < v.guess[rank].Fastest {
		class |= 1
	}
	return class
}

// decide grants claims as long as each place draws no more than it may: the
// most credible ones first, and of these the ones that held until now.
func (s *survey) decide(claims []claim) {
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.class, b.class), trueFirst(a.incumbent, b.incumbent), cmp.Compare(a.draw, b.draw), cmp.Compare(a.row, b.row))
	})
	s.allow()
	for _, c := range claims {
		s.grant(c)
	}
	s.spend()
}

func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// grant sends clients where they are claimed, or else where they would go if
// the places that draw too much had said nothing.
func (s *survey) grant(c claim) {
	r := &s.rows[c.row]
	var distrusted []uint16
	for {
		s.look(r.key, r.entry, distrusted)
		if len(distrusted) == 0 {
			s.wait(r.entry)
		}
		d := s.draws()
		full, ok := s.full(d, r)
		if !ok || slices.Contains(distrusted, full) {
			for _, to := range d {
				s.drawn[to.site].add(to.part, r.parts)
			}
			if d[0].part > 0 {
				s.led += r.weight
			}
			s.adopt(c.row)
			return
		}
		if len(distrusted) == 0 {
			s.book.stats.Withheld++
		}
		s.withheld[full] = true
		distrusted = append(distrusted, full)
	}
}

// full is a site that would draw more than it may.
func (s *survey) full(d draws, r *row) (site uint16, ok bool) {
	for _, to := range d {
		if to.part > 0 && s.drawn[to.site].beyond(s.book.sites[to.site].may, to.part, r.parts) {
			return to.site, true
		}
	}
	return 0, false
}

// allow lets every site draw a step more than in the last epoch.
func (s *survey) allow() {
	for i := range s.book.sites {
		if site := &s.book.sites[i]; s.first {
			for m := range site.may {
				site.may[m] = min(site.may[m]+float64(s.book.cfg.Step), float64(s.book.cfg.Cap))
			}
		}
	}
}

// spend takes back what a site did not draw, unless something was withheld from
// it: that may weigh more than a step.
func (s *survey) spend() {
	for i := range s.book.sites {
		if site := &s.book.sites[i]; !s.withheld[i] {
			for m := range site.may {
				site.may[m] = min(site.may[m], s.drawn[i][m])
			}
		}
	}
}
