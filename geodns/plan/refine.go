package plan

import (
	"net/netip"

	"landfall"
	"landfall/geodns/prefix"
	"landfall/geodns/steer"
)

// traits are all that tells one client from another.
type traits struct {
	place   uint32 // index of the location in the atlas
	asn     uint32 // announcing network, if a preference is for it
	prefer  uint32 // of a preference by prefix, index plus one
	verdict uint32 // index of the verdict plus one; 0: none
	draw    uint32 // index of the lots
}

// refinement is a table whose labels are indices of traits.
type refinement struct {
	table  *prefix.Table
	traits []traits
}

// by tells addresses apart by the labels of another table, too.
func (r *refinement) by(t *prefix.Table, set func(*traits, uint32)) {
	index := map[uint64]uint32{}
	var out []traits
	r.table = prefix.Cross(r.table, t, func(x, y uint32) uint32 {
		key := uint64(x)<<32 | uint64(y)
		i, ok := index[key]
		if !ok {
			i = uint32(len(out))
			index[key] = i
			next := r.traits[x]
			set(&next, y)
			out = append(out, next)
		}
		return i
	})
	r.traits = out
}

// refine divides the world by everything that edges are ranked by.
func (p *Prepared) refine() refinement {
	places := p.in.Atlas.Places()
	r := refinement{table: places}
	var known uint32 // labels there are
	for _, label := range places.All() {
		known = max(known, label+1)
	}
	for i := range max(known, 1) {
		r.traits = append(r.traits, traits{place: i})
	}
	if p.ranker.PrefersNetworks() {
		r.by(p.in.Atlas.Networks().Relabel(func(asn uint32) uint32 {
			if p.ranker.PrefersNetwork(asn) {
				return asn
			}
			return 0
		}), func(t *traits, asn uint32) { t.asn = asn })
	}
	if preferred := p.ranker.PreferredPrefixes(); preferred != nil {
		r.by(preferred, func(t *traits, i uint32) { t.prefer = i })
	}
	if p.ranker.Ties() {
		draws := newDraws(p.ranker, p.in.Epoch)
		r.by(draws.table(places), func(t *traits, i uint32) { t.draw = i })
		p.lots = draws.lots
	}
	if measured := p.verdictTable(); measured != nil {
		r.by(measured, func(t *traits, i uint32) { t.verdict = i })
	}
	return r
}

// location is where clients of some traits are.
func (p *Prepared) location(t traits) landfall.Location {
	loc := p.in.Atlas.Location(t.place)
	if t.asn != 0 {
		loc.ASN = t.asn
	}
	return loc
}

// few is how many different draws there may be for prefixes that drew the same
// to be looked for: with more, hardly two do.
const few = 1 << 16

// draws are the lots of all prefixes, those that order all edges alike once if
// there are few such orders.
type draws struct {
	ranker *steer.Ranker
	epoch  uint64
	lots   []steer.Lots
	index  map[steer.Draw]uint32 // nil if there are many
	leaves []prefix.Leaf
}

func newDraws(r *steer.Ranker, epoch uint64) *draws {
	d := &draws{ranker: r, epoch: epoch, lots: []steer.Lots{0}}
	if r.Draws() <= few {
		d.index = map[steer.Draw]uint32{"": 0}
	}
	return d
}

// table has for every address the index of its draw.
func (d *draws) table(places *prefix.Table) *prefix.Table {
	for p := range places.All() {
		d.leaf(p)
	}
	return prefix.Build(d.leaves)
}

// leaf adds the draws of a prefix that has one place.
func (d *draws) leaf(p netip.Prefix) {
	global := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20}), 3)
	if p.Addr().Is6() && p.Bits() < 3 && p.Contains(global.Addr()) {
		d.add(p)
		d.each(global, 16)
		return
	}
	own := steer.SpreadPrefix(p.Addr(), p.Bits())
	if own.Bits() > p.Bits() {
		d.each(p, own.Bits())
		return
	}
	if n := len(d.leaves); n == 0 || d.leaves[n-1].Prefix != own {
		d.add(own)
	}
}

// each adds all parts of a prefix that are of a length.
func (d *draws) each(p netip.Prefix, bits int) {
	if p.Bits() == bits {
		d.add(p)
		return
	}
	left, right := prefix.Halves(p)
	d.each(left, bits)
	d.each(right, bits)
}

func (d *draws) add(p netip.Prefix) {
	d.leaves = append(d.leaves, prefix.Leaf{Prefix: p, Label: d.number(p)})
}

// number is the index of what a prefix drew.
func (d *draws) number(p netip.Prefix) uint32 {
	next := uint32(len(d.lots))
	if d.index != nil {
		draw := d.ranker.Draw(p, d.epoch)
		if i, ok := d.index[draw]; ok {
			return i
		}
		d.index[draw] = next
	}
	d.lots = append(d.lots, d.ranker.Lots(p, d.epoch))
	return next
}
