package locate

import (
	"cmp"
	"slices"

	"landfall"
	"landfall/geodns/prefix"
)

// Difference is how far two Tables disagree about the world.
type Difference struct {
	V4, V6 Moved
	// Largest are the moves with the most IPv4 addresses, then the most
	// prefixes, the largest first; ten at most.
	Largest []Move
}

// Moved is how much of a family is elsewhere.
type Moved struct {
	Known float64 // addresses (IPv6: prefixes) of which either Table knows a place
	Moved float64 // those of them that moved
}

// Share is the part of what is known that moved.
func (m Moved) Share() landfall.Share {
	if m.Known == 0 {
		return 0
	}
	return landfall.Share(m.Moved / m.Known)
}

// Move is from where to where some clients went.
type Move struct {
	From, To  landfall.Location // not Known: unknown space
	Addresses float64           // of IPv4
	Prefixes  int               // of both families
}

// Compare tells what moved from one Table to another: what became known or
// unknown, is in another country, or is further than far kilometres from
// where it was. IPv4 is counted by addresses. IPv6 is counted by prefixes of
// one place each, since most of its addresses are in nobody's use.
func Compare(was, is *Table, far float64) Difference {
	var d Difference
	var moves []Move
	index := map[[2]uint32]uint32{}
	both := prefix.Cross(was.Places(), is.Places(), func(x, y uint32) uint32 {
		i, ok := index[[2]uint32{x, y}]
		if !ok {
			i = uint32(len(moves))
			index[[2]uint32{x, y}] = i
			moves = append(moves, Move{From: was.Location(x), To: is.Location(y)})
		}
		return i
	})
	for p, i := range both.All() {
		m, family, size := &moves[i], &d.V6, 1.0
		if p.Addr().Is4() {
			family, size = &d.V4, float64(uint64(1)<<(32-p.Bits()))
			m.Addresses += size
		}
		m.Prefixes++
		if m.From.Known || m.To.Known {
			family.Known += size
		}
		if m.far(far) {
			family.Moved += size
		}
	}
	moves = slices.DeleteFunc(moves, func(m Move) bool { return !m.far(far) })
	slices.SortStableFunc(moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Addresses, a.Addresses), cmp.Compare(b.Prefixes, a.Prefixes))
	})
	d.Largest = slices.Clip(moves[:min(10, len(moves))])
	return d
}

func (m *Move) far(km float64) bool {
	return m.From.Known != m.To.Known || m.From.Country != m.To.Country || m.From.Place.Distance(m.To.Place) > km
}
