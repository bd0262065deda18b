package plan

import (
	"net/netip"

	"landfall/geodns/prefix"
)

// sending is pieces on their way from one pick to another.
type sending struct {
	*work
	from, to pick
	loss     float64 // the part of what goes that the edge loses which they leave
	left     float64 // the load that it still has to lose
	space    float64 // how much there is room for
	gone     []piece
	misfits  int
}

// sending sends a crowd to where it aims, until an edge has lost enough.
func (w *work) sending(c *crowd, edge int, left float64) *sending {
	s := &sending{work: w, from: w.picks[c.pick], to: c.next, left: left}
	s.loss = s.from.share(edge) - s.to.share(edge)
	s.space, _ = w.room(s.from, s.to)
	return s
}

// tries is how often pieces are divided in vain, because no part fits into what
// room there is, before it counts as none.
const tries = 32

// give sends a piece, or those parts of it that fit, and returns what stays.
func (s *sending) give(p piece) (stay []piece) {
	s.gone = s.gone[:0]
	return s.part(p)
}

func (s *sending) part(p piece) (stay []piece) {
	s.pace.Rest(2)
	if s.left <= 0 || s.stays(p) {
		return []piece{p}
	}
	if p.weight <= min(s.space, s.left/s.loss) || whole(p) && p.weight <= s.space {
		s.turn(s.from, s.to, p.weight)
		s.space, _ = s.room(s.from, s.to)
		s.left -= p.weight * s.loss
		s.gone = append(s.gone, p)
		return nil
	}
	if whole(p) || s.misfits >= tries {
		return []piece{p}
	}
	if n := parts(p.prefix); s.weigher.even(p.prefix)/n > s.space*(1+rounding) {
		s.misfits += int(min(n-1, tries)) // as many as there would be, part by part
		return []piece{p}
	}
	light, heavy := s.halves(p)
	if light.weight > heavy.weight {
		light, heavy = heavy, light
	}
	before := len(s.gone)
	stay = append(s.part(light), s.part(heavy)...)
	if len(s.gone) == before {
		s.misfits++
		return []piece{p}
	}
	return stay
}

// stays reports whether nothing of a piece fits, or nobody tries.
func (s *sending) stays(p piece) bool {
	return p.weight > s.space && (s.space <= 0 || s.misfits >= tries || whole(p))
}

// parts are how many of the smallest prefixes there are in one.
func parts(p netip.Prefix) float64 {
	if p.Addr().Is4() {
		return share(p, 24)
	}
	return share(p, 48)
}

// whole reports whether a piece is never divided.
func whole(p piece) bool { return !p.prefix.IsValid() || smallest(p.prefix) }

// halves divides a piece.
func (w *work) halves(p piece) (left, right piece) {
	l, r := prefix.Halves(p.prefix)
	left, right = piece{l, p.class, w.weigher.weight(l)}, piece{r, p.class, w.weigher.weight(r)}
	if sum := left.weight + right.weight; sum > 0 {
		left.weight *= p.weight / sum // so that nothing is lost by rounding
		right.weight = p.weight - left.weight
	}
	return left, right
}

// each sends pieces that are told a pick, and returns those that stay.
func (s *sending) each(pieces []int, told uint32) (rest []int) {
	rest = make([]int, 0, len(pieces))
	for n, i := range pieces {
		s.pace.Rest(1)
		if s.left <= 0 {
			return append(rest, pieces[n:]...)
		}
		p := s.pieces[i]
		if s.stays(p) {
			rest = append(rest, i)
			continue
		}
		stay := s.give(p)
		if len(s.gone) == 0 {
			rest = append(rest, i)
			continue
		}
		pick := s.intern(s.to)
		if len(stay) == 0 {
			s.tell(i, pick)
			continue
		}
		// Part of the piece went: what stays is in its place, and the rest
		// is new.
		s.pieces[i] = stay[0]
		rest = append(rest, i)
		for _, more := range stay[1:] {
			rest = append(rest, s.put(more, i, told))
		}
		for _, gone := range s.gone {
			s.put(gone, i, pick)
		}
	}
	return rest
}

// put adds a part of a piece.
func (w *work) put(p piece, of int, pick uint32) int {
	w.pieces, w.told = append(w.pieces, p), append(w.told, pick)
	if w.levelled {
		w.based = append(w.based, w.based[of])
	}
	i := len(w.pieces) - 1
	w.tell(i, pick)
	return i
}

// room is how much weight can turn from one pick to another until an edge has
// no more room, and which edge that is; -1 if none takes more than before.
func (w *work) room(from, to pick) (weight float64, tightest int) {
	weight, tightest = infinite, -1
	for _, s := range to.all() {
		e := int(s.edge)
		if more := to.share(e) - from.share(e); more > 0 {
			if r := max(w.capacity[e]-w.load[e], 0) / more; r < weight || tightest < 0 {
				weight, tightest = r, e
			}
		}
	}
	return weight, tightest
}

// holds reports whether all edges have room if such weight turns.
func (w *work) holds(from, to pick, weight float64) bool {
	room, _ := w.room(from, to)
	return weight <= room
}

// turn changes loads as weight turns from one pick to another.
func (w *work) turn(from, to pick, weight float64) {
	var full [maxPicked]bool
	for i, s := range from.all() {
		full[i] = w.full(int(s.edge))
		w.load[s.edge] -= weight * from.share(int(s.edge))
	}
	for _, s := range to.all() {
		w.load[s.edge] += weight * to.share(int(s.edge))
	}
	for i, s := range from.all() {
		if full[i] && !w.full(int(s.edge)) {
			w.opened++
		}
	}
}

// full reports whether an edge has no more room.
func (w *work) full(edge int) bool { return w.load[edge] >= w.capacity[edge]*(1-rounding) }
