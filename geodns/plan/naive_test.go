package plan

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/geodns/measure"
	"landfall/geodns/prefix"
	"landfall/geodns/steer"
)

// measured are verdicts about so many networks, and a way to draw addresses:
// many in them, many at borders, the rest anywhere.
func (w *world) measured(n int) (*measure.View, func() netip.Addr) {
	var verdicts []measure.Verdict
	rows := w.sorted()
	for range n {
		p := landfall.ClientPrefix(rows[w.r.IntN(len(rows))].Addr())
		v := measure.Verdict{Prefix: p}
		for _, i := range w.r.Perm(8)[:w.r.IntN(4)] {
			v.Order = append(v.Order, w.m.Nodes[i].ID)
			v.Estimates = append(v.Estimates, measure.Estimate{Edge: w.m.Nodes[i].ID, RTT: time.Duration(1+w.r.IntN(90)) * time.Millisecond, Fresh: true})
		}
		if w.r.IntN(3) == 0 {
			v.Explore = w.m.Nodes[w.r.IntN(8)].ID
		}
		verdicts = append(verdicts, v)
	}
	return measure.Of(1, verdicts...), func() netip.Addr {
		switch w.r.IntN(6) {
		case 0:
			return verdicts[w.r.IntN(n)].Prefix.Addr().Next()
		case 1:
			return prefix.Last(rows[w.r.IntN(len(rows))])
		case 2:
			return rows[w.r.IntN(len(rows))].Addr().Prev()
		case 3:
			a := netip.AddrFrom4([4]byte{byte(w.r.Uint32()), byte(w.r.Uint32()), 1, 1}).As4()
			return netip.AddrFrom16([16]byte{0x20, 2, a[0], a[1], a[2], a[3], 15: 1}) // 6to4
		case 4:
			return netip.AddrFrom16([16]byte{0x20 | byte(w.r.IntN(16)), byte(w.r.Uint32()), 15: 1})
		default:
			return netip.AddrFrom4([4]byte{byte(w.r.Uint32()), byte(w.r.Uint32()), byte(w.r.Uint32()), 1})
		}
	}
}

// agrees reports whether the plan tells an address what is found by looking at
// it alone: no tables, no classes, no slots.
func (o *oracle) agrees(a netip.Addr, epoch uint64, measured *measure.View, places *stretches) bool {
	if !a.IsValid() {
		return true
	}
	got := o.plan.told(a)
	if v4, _, ok := prefix.Fold(a); ok {
		a = v4
	}
	loc, leaf := o.alone(a), places.widest(a).Bits()
	v, _ := measured.Find(a)
	var edges []landfall.Node
	for n := range o.w.m.Having(landfall.RoleEdge) {
		edges = append(edges, n)
	}
	draw := o.ranker.Draw(steer.SpreadPrefix(a, leaf), epoch)
	var order [][]float64
	for _, n := range edges {
		order = append(order, o.sortKey(n, loc, a, v, draw))
	}
	slices.SortFunc(order, slices.Compare)
	var want []landfall.NodeID
	if i, ok := o.ranker.Index(v.Explore); ok && o.fits[i] {
		want = append(want, v.Explore)
	}
	for _, k := range order {
		id := o.ranker.Edge(int(k[len(k)-1])).ID
		if o.fits[int(k[len(k)-1])] && !slices.Contains(want, id) && len(want) < o.w.m.Steering.EffectiveAnswers() {
			want = append(want, id)
		}
	}
	return slices.Equal(got, want)
}

// alone finds the location of an address by looking at all rows.
func (o *oracle) alone(a netip.Addr) (loc landfall.Location) {
	best := -1
	for p, l := range o.w.rows {
		if p.Contains(a) && p.Bits() > best {
			best, loc = p.Bits(), l
		}
	}
	return loc
}

// sortKey is what an edge is ranked by, in the words of the policy.
func (o *oracle) sortKey(n landfall.Node, loc landfall.Location, a netip.Addr, v measure.Verdict, draw steer.Draw) []float64 {
	home, _ := o.w.m.Home()
	region, _ := o.w.m.Region(n.Region)
	from, away := loc.Place, 0.0
	if !loc.Known {
		from = home.Place
		if n.Region != home.ID {
			away = 1
		}
	}
	prefer := 0.0
	if p := o.preference(loc, a); p != nil {
		if prefer = float64(slices.Index(p.Regions, n.Region)); prefer < 0 {
			prefer = math.Inf(1)
		}
	}
	measured := float64(slices.Index(v.Order, n.ID))
	if measured < 0 {
		measured = math.Inf(1)
		for i, id := range v.Order {
			if other, _ := o.w.m.Node(id); other.Region == n.Region {
				measured = min(measured, float64(i))
			}
		}
	}
	i, _ := o.ranker.Index(n.ID)
	drawn := 0.0
	if draw != "" {
		drawn = float64(draw[2*i+1])
	}
	return []float64{prefer, measured, away, from.Distance(region.Place), drawn, float64(i)}
}

func (o *oracle) preference(loc landfall.Location, a netip.Addr) *landfall.Preference {
	for _, applies := range []func(p landfall.Preference) bool{
		func(p landfall.Preference) bool { return p.Prefix.IsValid() && p.Prefix.Contains(a) },
		func(p landfall.Preference) bool { return p.ASN != 0 && p.ASN == loc.ASN },
		func(p landfall.Preference) bool { return p.Country != "" && p.Country == loc.Country },
		func(p landfall.Preference) bool { return p.Continent != "" && p.Continent == loc.Continent },
	} {
		if i := slices.IndexFunc(o.w.m.Preferences, applies); i >= 0 {
			return &o.w.m.Preferences[i]
		}
	}
	return nil
}
