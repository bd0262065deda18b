package plan

import (
	"math"
	"net/netip"
	"slices"

	"landfall"
	"landfall/geodns/locate"
	"landfall/geodns/prefix"
	"landfall/geodns/resolver"
	"landfall/geodns/traffic"
)

const (
	// unseen is the share of weight that goes by address space however many
	// queries were counted: clients of networks that were silent so far may
	// come, too.
	unseen = 0.05
	// enough is how many queries count as much as address space does. Fewer
	// say less: of a night's handful none may decide where all clients are.
	enough = 5000
)

// weigher tells what share of all clients is in a prefix.
//
// By queries, the more of them were counted the more, and for the rest by
// address space: half for each family, for about half of all users have IPv6.
// Within IPv4 all addresses with a known place count alike. Within IPv6 a
// network with one place counts by the square root of its /48s: networks have
// from one to millions of them, and neither do all have as many users nor
// users in proportion to their /48s. With no place known, all of the space that
// is given to networks counts alike.
type weigher struct {
	atlas    *locate.Table
	unit     [2]float64 // share of one unit of space, by family: IPv4, IPv6
	lost     bool       // no place is known
	byQuery  float64    // share of one query; 0: none was counted
	counted  [2][]count
	lengths  [2][]int // lengths of prefixes in counted
	resolved map[netip.Prefix]float64
}

// count is the queries of a prefix, and of all before it.
type count struct {
	prefix        netip.Prefix
	queries, upTo float64
}

// newWeigher divides the weight of all clients, which is 1.
func newWeigher(atlas *locate.Table, queries *traffic.View, resolvers *resolver.View) *weigher {
	w := &weigher{atlas: atlas, lost: atlas.Locations() == 0, unit: [2]float64{1, 1}}
	w.count(queries, resolvers)
	space := 1.0
	if !queries.Empty() {
		n := queries.Total()
		counted := min(n/(n+enough), 1-unseen)
		space, w.byQuery = 1-counted, counted/n
	}
	sums := w.spaces()
	families := 0.0
	for _, s := range sums {
		if s > 0 {
			families++
		}
	}
	for f, s := range sums {
		w.unit[f] = 0
		if s > 0 {
			w.unit[f] = space / families / s
		}
	}
	return w
}

// spaces adds up the space of both families.
func (w *weigher) spaces() (sums [2]float64) {
	if w.lost {
		for _, p := range given() {
			sums[family(p)] += share(p, 0)
		}
		return sums
	}
	for p, label := range w.atlas.Places().All() {
		if label != 0 {
			sums[family(p)] += size(p, p.Bits())
		}
	}
	return sums
}

// given is the space that is given to networks.
func given() []netip.Prefix {
	out := []netip.Prefix{netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20}), 3)}
	for i := byte(1); i < 224; i++ {
		if i != 10 && i != 127 {
			out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{i}), 8))
		}
	}
	return out
}

// size is the space that a prefix counts for, as a part of one of bits that
// has one place.
func size(p netip.Prefix, bits int) float64 {
	if p.Addr().Is4() {
		return share(p, 0)
	}
	return math.Exp2(float64(48-bits)/2) * share(p, bits)
}

// share is the part of the addresses of a prefix of bits that is in p.
func share(p netip.Prefix, bits int) float64 { return math.Ldexp(1, bits-p.Bits()) }

func family(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 0
	}
	return 1
}

// weight is the share of all clients in a prefix that has one place.
func (w *weigher) weight(p netip.Prefix) float64 {
	return w.space(p)*w.unit[family(p)] + w.queries(p)*w.byQuery
}

// even is what is spread evenly of the weight of a prefix that has one place: no
// part of it weighs less than its part of that. 0 says that nothing is.
func (w *weigher) even(p netip.Prefix) float64 {
	if w.lost {
		return 0
	}
	return w.space(p) * w.unit[family(p)]
}

func (w *weigher) space(p netip.Prefix) float64 {
	if !w.lost {
		label, bits := w.atlas.Places().Lookup(p.Addr())
		if label == 0 {
			return 0
		}
		return size(p, bits)
	}
	sum := 0.0
	for _, g := range given() {
		switch {
		case !p.Overlaps(g):
		case p.Bits() <= g.Bits():
			sum += share(g, 0)
		default:
			return share(p, 0)
		}
	}
	return sum
}

// count takes the queries in. Those from the network of a resolver are its
// own: its clients are elsewhere.
func (w *weigher) count(queries *traffic.View, resolvers *resolver.View) {
	w.resolved = map[netip.Prefix]float64{}
	many := map[netip.Prefix]float64{} // resolvers in one network
	for r := range resolvers.All() {
		many[landfall.ClientPrefix(r.Addr)]++
	}
	for p, n := range queries.All() {
		if many[p] > 0 {
			w.resolved[p] = n / many[p]
			continue
		}
		p = unfolded(p)
		f := family(p)
		w.counted[f] = append(w.counted[f], count{prefix: p, queries: n})
	}
	for f := range w.counted {
		slices.SortStableFunc(w.counted[f], func(a, b count) int { return a.prefix.Compare(b.prefix) })
		sum := 0.0
		for i, c := range w.counted[f] {
			w.counted[f][i].upTo = sum
			sum += c.queries
			if !slices.Contains(w.lengths[f], c.prefix.Bits()) {
				w.lengths[f] = append(w.lengths[f], c.prefix.Bits())
			}
		}
		slices.Sort(w.lengths[f])
	}
}

// unfolded is the IPv4 prefix that an IPv6 one stands for, if it does.
func unfolded(p netip.Prefix) netip.Prefix {
	if v4, shift, ok := prefix.Fold(p.Addr()); ok && p.Bits() >= shift {
		return netip.PrefixFrom(v4, p.Bits()-shift)
	}
	return p
}

// queries are those that came from a prefix, and its part of those that came
// from wider ones.
func (w *weigher) queries(p netip.Prefix) float64 {
	counted := w.counted[family(p)]
	if len(counted) == 0 {
		return 0
	}
	from, _ := slices.BinarySearchFunc(counted, p, func(c count, p netip.Prefix) int { return c.prefix.Compare(p) })
	to := from
	for step := 1; to < len(counted) && p.Contains(counted[to].prefix.Addr()); step *= 2 {
		// Gallop: most prefixes hold few, some hold all.
		for step > 1 && (to+step >= len(counted) || !p.Contains(counted[to+step].prefix.Addr())) {
			step /= 2
		}
		to += step
	}
	sum := upTo(counted, to) - upTo(counted, from)
	for _, bits := range w.lengths[family(p)] {
		if bits >= p.Bits() {
			break
		}
		wide, _ := p.Addr().Prefix(bits)
		i, ok := slices.BinarySearchFunc(counted, wide, func(c count, p netip.Prefix) int { return c.prefix.Compare(p) })
		for ; ok && i < len(counted) && counted[i].prefix == wide; i++ {
			sum += counted[i].queries * share(p, bits)
		}
	}
	return sum
}

func upTo(counted []count, i int) float64 {
	if i < len(counted) {
		return counted[i].upTo
	}
	last := counted[len(counted)-1]
	return last.upTo + last.queries
}

// resolver is the share of all clients that ask through a resolver.
func (w *weigher) resolver(a netip.Addr) float64 {
	return w.resolved[landfall.ClientPrefix(a)] * w.byQuery
}
