package measure

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"landfall"
	"landfall/geodns/steer"
)

// session is one Freeze.
type session struct {
	book             *Book
	world            World
	epoch            uint64
	now              uint32
	first            bool              // of the epoch
	fastest, typical [][]time.Duration // round trips between sites
	keys             []key             // of all entries, in order
	weight           map[key]float64   //
	total            float64           // of all weights
	sight            sight             // of the entry that is looked at
	drawn            []float64         // by site: traffic that measurement brings there
}

// Freeze decides what holds from now on, and who is tried until the epoch
// ends. Within one epoch it may be called again: trials and patience go on.
func (b *Book) Freeze(w World) *View {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.Map == nil || w.Prior == nil {
		return b.view
	}
	b.setMap(w.Map)
	s := b.session(w)
	s.tidy()
	s.rank()
	s.explore()
	b.view = s.view()
	b.frozen = s.epoch
	return b.view
}

func (b *Book) session(w World) *session {
	now := b.cfg.Now()
	s := &session{book: b, world: w, epoch: b.epoch(now), now: seconds32(now), weight: map[key]float64{}, drawn: make([]float64, len(b.sites))}
	s.first = s.epoch != b.frozen
	for _, from := range b.sites {
		var fastest, typical []time.Duration
		for _, to := range b.sites {
			km := from.place.Distance(to.place)
			fastest, typical = append(fastest, steer.Fastest(km)), append(typical, steer.Predict(km))
		}
		s.fastest, s.typical = append(s.fastest, fastest), append(s.typical, typical)
	}
	return s
}

// site is where the edge of a rank stands.
func (s *session) site(rank int) uint16 { return s.book.edges[s.sight.edges[rank]].site }

func (s *session) up(id landfall.NodeID) bool { return s.world.Up == nil || s.world.Up(id) }

func (s *session) room(id landfall.NodeID) bool { return s.world.Room == nil || s.world.Room(id) }

// tidy forgets what is old, and weighs the rest.
func (s *session) tidy() {
	for k, e := range s.book.entries {
		if seconds(e.live, s.now) > forgotten {
			delete(s.book.entries, k)
		}
	}
	s.keys = slices.Sorted(maps.Keys(s.book.entries))
	for _, k := range s.keys {
		w := 1.0
		if s.world.Weight != nil {
			w = max(s.world.Weight(k.prefix()), 0)
		}
		s.weight[k] = w
		s.total += w
	}
}

// find is the cell of an edge, nil if there is none.
func (e *entry) find(edge uint16) *cell {
	i := slices.IndexFunc(e.cells, func(c cell) bool { return c.edge == edge })
	if i < 0 {
		return nil
	}
	return &e.cells[i]
}

// view writes the verdicts down.
func (s *session) view() *View {
	v := &View{epoch: s.epoch}
	stats := &s.book.stats
	stats.Moved, stats.Led = 0, 0
	for _, k := range s.keys {
		e := s.book.entries[k]
		verdict := Verdict{Prefix: k.prefix(), Weight: s.weight[k], Estimates: s.estimates(e)}
		for _, edge := range e.order {
			verdict.Order = append(verdict.Order, s.book.edges[edge].id)
		}
		if len(e.order) > 0 {
			stats.Moved++
		}
		if e.trial > 0 {
			verdict.Explore = s.book.edges[e.trial-1].id
		}
		if len(verdict.Estimates) > 0 || verdict.Explore != "" {
			v.verdicts = append(v.verdicts, verdict)
		}
	}
	for _, d := range s.drawn {
		stats.Led += part(d, s.total)
	}
	return v
}

func part(of, total float64) float64 {
	if total == 0 {
		return 0
	}
	return of / total
}

// estimates are those of the edges that are there, by id.
func (s *session) estimates(e *entry) []Estimate {
	var out []Estimate
	for i := range e.cells {
		c := &e.cells[i]
		if rtt := c.estimate(); rtt > 0 && s.book.edges[c.edge].active {
			out = append(out, Estimate{s.book.edges[c.edge].id, rtt, c.counted(s.now), seconds(c.last, s.now), c.fresh(s.now)})
		}
	}
	slices.SortFunc(out, func(a, b Estimate) int { return cmp.Compare(a.Edge, b.Edge) })
	return out
}
