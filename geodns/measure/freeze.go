package measure

import (
	"cmp"
	"slices"
	"time"

	"landfall"
	"landfall/geodns/steer"
)

// survey is one Freeze: all prefixes are looked at, one after the other.
type survey struct {
	book             *Book
	world            World
	epoch            uint64
	now              uint32
	first            bool              // of the epoch
	fastest, typical [][]time.Duration // round trips between sites
	rows             []row             // all entries, in the order of keys
	total            float64           // of their weights
	sight            sight             // of the entry that is looked at
	drawn            []parts           // by site: what measurement brings there
	led              float64           // traffic that is led elsewhere than by geography
	withheld         []bool            // by site: whether it claims more than it may draw
}

// row is an entry in its place.
type row struct {
	key    key
	entry  *entry
	weight float64
	parts  parts
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
	s := b.survey(w)
	s.tidy()
	s.rank()
	s.explore()
	b.view = s.view()
	b.frozen = s.epoch
	return b.view
}

func (b *Book) survey(w World) *survey {
	now := b.cfg.Now()
	s := &survey{book: b, world: w, epoch: b.epoch(now), now: seconds32(now), drawn: make([]parts, len(b.sites)), withheld: make([]bool, len(b.sites))}
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
func (s *survey) site(rank int) uint16 { return s.book.edges[s.sight.edges[rank]].site }

func (s *survey) up(id landfall.NodeID) bool { return s.world.Up == nil || s.world.Up(id) }

func (s *survey) room(id landfall.NodeID) bool { return s.world.Room == nil || s.world.Room(id) }

// tidy forgets what is old, and weighs the rest.
func (s *survey) tidy() {
	for k, e := range s.book.entries {
		e.cells = slices.DeleteFunc(e.cells, func(c cell) bool {
			return seconds(c.last, s.now) > forgotten && uint64(c.tried)+retry < s.epoch && c.rumour == 0
		})
		if seconds(e.live, s.now) > forgotten {
			delete(s.book.entries, k)
		}
	}
	s.rows = make([]row, 0, len(s.book.entries))
	for k, e := range s.book.entries {
		s.rows = append(s.rows, row{key: k, entry: e, weight: 1})
	}
	slices.SortFunc(s.rows, func(a, b row) int { return cmp.Compare(a.key, b.key) })
	for i := range s.rows {
		if r := &s.rows[i]; s.world.Weight != nil {
			r.weight = max(s.world.Weight(r.key.prefix()), 0)
		}
		s.total += s.rows[i].weight
	}
	if s.total == 0 { // nothing was counted yet
		for i := range s.rows {
			s.rows[i].weight, s.total = 1, s.total+1
		}
	}
	weigh(s.rows)
}

// find is the cell of an edge, nil if there is none.
func (e *entry) find(edge uint16) *cell {
	for i := range e.cells {
		if e.cells[i].edge == edge {
			return &e.cells[i]
		}
	}
	return nil
}

// view writes the verdicts down.
func (s *survey) view() *View {
	v := &View{epoch: s.epoch, verdicts: make([]Verdict, 0, len(s.rows))}
	stats := &s.book.stats
	stats.Moved, stats.Led = 0, part(s.led, s.total)
	var all []Estimate // of as many verdicts as fit
	for _, r := range s.rows {
		if cap(all)-len(all) < len(r.entry.cells) {
			all = make([]Estimate, 0, max(len(r.entry.cells), 4096))
		}
		from := len(all)
		all = s.estimates(all, r.entry)
		verdict := Verdict{Prefix: r.key.prefix(), Order: s.names(r.entry.order), Estimates: all[from:len(all):len(all)], Weight: r.weight}
		if len(verdict.Order) > 0 {
			stats.Moved++
		}
		if r.entry.trial > 0 {
			verdict.Explore = s.book.edges[r.entry.trial-1].id
		}
		if len(verdict.Estimates) > 0 || verdict.Explore != "" {
			v.verdicts = append(v.verdicts, verdict)
		}
	}
	return v
}

// names are the ids of edges.
func (s *survey) names(order []uint16) []landfall.NodeID {
	if len(order) == 0 {
		return nil
	}
	out := make([]landfall.NodeID, len(order))
	for i, edge := range order {
		out[i] = s.book.edges[edge].id
	}
	return out
}

func part(of, total float64) float64 {
	if total == 0 {
		return 0
	}
	return of / total
}

// estimates appends those of the edges that are there, by id.
func (s *survey) estimates(out []Estimate, e *entry) []Estimate {
	from := len(out)
	for i := range e.cells {
		c := &e.cells[i]
		if rtt := c.estimate(); rtt > 0 && s.book.edges[c.edge].active {
			out = append(out, Estimate{s.book.edges[c.edge].id, rtt, c.counted(s.now), seconds(c.last, s.now), c.fresh(s.now), c.fresh(s.now) && c.vouched})
		}
	}
	slices.SortFunc(out[from:], func(a, b Estimate) int { return cmp.Compare(a.Edge, b.Edge) })
	return out
}
