package plan

import (
	"net/netip"
	"slices"
	"sort"
	"testing"

	"landfall/geodns/prefix"
	"landfall/geodns/steer"
)

// stretches are the parts of both families between borders.
type stretches struct {
	from []netip.Addr // where each begins
	told []uint16
	same []int // where the next begins that is told something else
}

func (s *stretches) at(a netip.Addr) int {
	return sort.Search(len(s.from), func(i int) bool { return a.Less(s.from[i]) }) - 1
}

// uniform reports whether all of a prefix is told the same.
func (s *stretches) uniform(p netip.Prefix) bool {
	next := s.same[s.at(p.Addr())]
	return next == len(s.from) || prefix.Last(p).Less(s.from[next])
}

// widest is the widest prefix around an address that is told the same.
func (s *stretches) widest(a netip.Addr) netip.Prefix {
	p := netip.PrefixFrom(a, a.BitLen())
	for p.Bits() > 0 {
		wider, _ := a.Prefix(p.Bits() - 1)
		if !s.uniform(wider) {
			break
		}
		p = wider
	}
	return p
}

// link finds for each stretch the next that is told something else.
func (s *stretches) link() {
	s.same = make([]int, len(s.from))
	for i := len(s.from) - 1; i >= 0; i-- {
		if i+1 < len(s.from) && s.told[i+1] == s.told[i] && s.from[i].BitLen() == s.from[i+1].BitLen() {
			s.same[i] = s.same[i+1]
		} else {
			s.same[i] = i + 1
		}
	}
}

// cut divides both families where rows begin and end.
func (o *oracle) cut() *stretches {
	s := &stretches{from: []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}}
	for p := range o.w.rows {
		s.from = append(s.from, p.Addr())
		if next := prefix.Last(p).Next(); next.IsValid() {
			s.from = append(s.from, next)
		}
	}
	o.paint(s)
	return s
}

// paint gives every stretch its place.
func (o *oracle) paint(s *stretches) {
	slices.SortFunc(s.from, netip.Addr.Compare)
	s.from = slices.Compact(s.from)
	s.told = make([]uint16, len(s.from))
	for _, p := range o.w.sorted() {
		loc := o.locate(o.w.rows[p])
		for i := s.at(p.Addr()); i < len(s.from) && p.Contains(s.from[i]); i++ {
			s.told[i] = loc
		}
	}
	s.link()
}

// draw cuts stretches where draws have borders: they are for the widest
// prefixes of one place.
func (o *oracle) draw(s *stretches) []steer.Draw {
	var from []netip.Addr
	var out []steer.Draw
	for i, a := range s.from {
		for a.IsValid() && a.Compare(s.end(i)) <= 0 {
			leaf := s.widest(a).Bits()
			p := steer.SpreadPrefix(a, leaf)
			from, out = append(from, a), append(out, o.ranker.Draw(p, 0))
			own, _ := a.Prefix(max(leaf, p.Bits()))
			a = prefix.Last(own).Next()
		}
	}
	s.from = from
	o.paint(s)
	return out
}

// label gives every stretch what it should be told.
func (o *oracle) label(places *stretches, draws []steer.Draw) *stretches {
	s := &stretches{from: places.from}
	for i := range s.from {
		s.told = append(s.told, o.tell(places.told[i], draws[i]))
	}
	s.link()
	return s
}

func TestScopesAreExactAtAllBorders(t *testing.T) {
	w := newWorld(2, 120)
	v4, v6, split := some(1, 2), some(5, 15), 0.75
	if soak() {
		v4, v6, split = 3, 40, 0.8
	}
	w.populate(v4, v6, split)
	prepared := Prepare(Input{Map: w.m, Atlas: w.atlas()})
	first := newOracle(w, nil, nil)
	places := first.cut()
	draws := first.draw(places)
	for _, state := range states() {
		down := w.down(state)
		o := newOracle(w, prepared.Compile(State{Down: down}), down)
		o.locs = first.locs
		o.borders(t, o.label(places, draws))
	}
}

// borders holds the first and last two addresses of every stretch against the
// truth.
func (o *oracle) borders(t *testing.T, s *stretches) {
	t.Helper()
	names := o.answers()
	for i, from := range s.from {
		for _, a := range []netip.Addr{from, from.Next(), s.end(i), s.end(i).Prev()} {
			if _, _, folded := prefix.Fold(a); folded || s.at(a) != i {
				continue
			}
			choice, bits := o.plan.Lookup(A, a)
			scope, _ := a.Prefix(bits)
			wider, _ := a.Prefix(max(bits-1, 0))
			if names[choice] != s.told[i] || !s.uniform(scope) || bits > 0 && s.uniform(wider) && !holdsIPv4(wider) {
				t.Fatalf("%v: told %v, scope /%d, sound %v, wider %v", a, o.plan.Choice(choice).Edges, bits, s.uniform(scope), s.uniform(wider))
			}
		}
	}
}

// end is the last address of a stretch.
func (s *stretches) end(i int) netip.Addr {
	if i+1 == len(s.from) || s.from[i+1].BitLen() != s.from[i].BitLen() {
		return prefix.Last(netip.PrefixFrom(s.from[i], 0).Masked())
	}
	return s.from[i+1].Prev()
}

// holdsIPv4 reports whether a part of a prefix stands for IPv4, which has many
// answers.
func holdsIPv4(p netip.Prefix) bool {
	return slices.ContainsFunc([]string{"::ffff:0:0/96", "64:ff9b::/96", "2002::/16"}, func(s string) bool {
		return p.Overlaps(netip.MustParsePrefix(s))
	})
}
