package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"landfall/geodns/prefix"
)

// Move is clients who are told something else by another Plan.
type Move struct {
	Prefix   netip.Prefix // none wider moves as a whole from and to the same
	Resolver bool         // they are those behind a resolver that does not tell where they are
	From, To Choice
	Share    float64 // of all clients, as the new Plan weighs them
}

// Flow is all moves that are alike.
type Flow struct {
	From, To Choice
	Such     netip.Prefix // the first of them
	Prefixes int
	Share    float64
}

// Diff finds everybody whom answers of a kind tell something else under next
// than under prev: other addresses, or others first. The moves are in order,
// those of resolvers last.
func Diff(prev, next *Plan, k Kind) []Move {
	d := difference{prev: prev, next: next, kind: k, index: map[[2]uint32]uint32{}, pairs: [][2]uint32{{}}}
	table := prefix.Cross(prev.tables[k], next.tables[k], d.pair)
	var moves []Move
	for p, i := range table.All() {
		if i != 0 {
			moves = append(moves, d.move(p, d.pairs[i]))
		}
	}
	d.weigh(table, moves)
	return append(moves, d.resolvers()...)
}

// Flows sums moves up, the largest first.
func Flows(moves []Move) []Flow {
	var out []Flow
	index := map[[2]string]int{}
	for _, m := range moves {
		key := [2]string{said(m.From.V4, m.From.V6), said(m.To.V4, m.To.V6)}
		i, ok := index[key]
		if !ok {
			i = len(out)
			index[key] = i
			out = append(out, Flow{From: m.From, To: m.To, Such: m.Prefix})
		}
		out[i].Prefixes++
		out[i].Share += m.Share
	}
	slices.SortStableFunc(out, func(a, b Flow) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// Moved is the share of all clients in moves.
func Moved(moves []Move) float64 {
	sum := 0.0
	for _, m := range moves {
		sum += m.Share
	}
	return sum
}

type difference struct {
	prev, next *Plan
	kind       Kind
	pairs      [][2]uint32 // choices before and after; the first is of those who stay
	index      map[[2]uint32]uint32
}

// pair numbers two choices; 0 if they tell the same.
func (d *difference) pair(before, after uint32) uint32 {
	key := [2]uint32{before, after}
	i, ok := d.index[key]
	if !ok {
		if d.same(before, after) {
			i = 0
		} else {
			i = uint32(len(d.pairs))
			d.pairs = append(d.pairs, key)
		}
		d.index[key] = i
	}
	return i
}

func (d *difference) same(before, after uint32) bool {
	return said(d.prev.Choice(before).told(d.kind)) == said(d.next.Choice(after).told(d.kind))
}

func (d *difference) move(p netip.Prefix, pair [2]uint32) Move {
	return Move{Prefix: p, From: d.prev.Choice(pair[0]), To: d.next.Choice(pair[1])}
}

// weigh adds up the clients of all moves, which are in order, place by place.
func (d *difference) weigh(table *prefix.Table, moves []Move) {
	type key struct{ pair, place uint32 }
	var keys []key
	index := map[key]uint32{}
	places := prefix.Cross(table, d.next.prepared.in.Atlas.Places(), func(pair, place uint32) uint32 {
		k := key{pair, place}
		i, ok := index[k]
		if !ok {
			i = uint32(len(keys))
			index[k], keys = i, append(keys, k)
		}
		return i
	})
	at := 0
	for p, i := range places.All() {
		if keys[i].pair == 0 {
			continue
		}
		for !moves[at].Prefix.Contains(p.Addr()) {
			at++
		}
		moves[at].Share += d.next.prepared.weigher.weight(p)
	}
}

// resolvers are the moves of those whose clients are known to either Plan.
func (d *difference) resolvers() []Move {
	var addrs []netip.Addr
	for _, p := range []*Plan{d.prev, d.next} {
		for a := range p.resolved {
			addrs = append(addrs, a)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	var out []Move
	for _, a := range slices.Compact(addrs) {
		pair := [2]uint32{d.prev.LookupResolver(d.kind, a), d.next.LookupResolver(d.kind, a)}
		if d.same(pair[0], pair[1]) {
			continue
		}
		m := d.move(netip.PrefixFrom(a, a.BitLen()), pair)
		m.Resolver = true
		if _, known := d.next.resolved[a]; known {
			m.Share = d.next.prepared.weigher.resolver(a)
		}
		out = append(out, m)
	}
	return out
}
