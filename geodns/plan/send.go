package plan

// sending is pieces on their way from one pick to another.
type sending struct {
	*work
	from, to pick
	edge     int     // the one that loses them
	left     float64 // the load that it still has to lose
	gone     []piece
	misfits  int
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
	room, _ := s.room(s.from, s.to)
	if s.left <= 0 || p.weight > 0 && room <= 0 {
		return []piece{p}
	}
	loss := s.from.share(s.edge) - s.to.share(s.edge)
	need := s.left / loss
	whole := !p.prefix.IsValid() || smallest(p.prefix)
	if p.weight <= min(room, need) || whole && p.weight <= room {
		s.turn(s.from, s.to, p.weight)
		s.left -= p.weight * loss
		s.gone = append(s.gone, p)
		return nil
	}
	if whole || s.misfits >= tries {
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

// halves divides a piece.
func (w *work) halves(p piece) (left, right piece) {
	l, r := halves(p.prefix)
	left, right = piece{l, p.class, w.weigher.weight(l)}, piece{r, p.class, w.weigher.weight(r)}
	if sum := left.weight + right.weight; sum > 0 {
		left.weight *= p.weight / sum // so that nothing is lost by rounding
		right.weight = p.weight - left.weight
	}
	return left, right
}

// each sends pieces that are told a pick, and returns those that stay.
func (s *sending) each(pieces []int, told uint32) (rest []int) {
	pick := s.intern(s.to)
	for _, i := range pieces {
		p := s.pieces[i]
		stay := s.give(p)
		switch {
		case len(stay) == 0:
			s.told[i] = pick
			continue
		case len(stay) == 1 && stay[0].prefix == p.prefix:
			rest = append(rest, i)
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
	return len(w.pieces) - 1
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
	for _, s := range from.all() {
		w.load[s.edge] -= weight * from.share(int(s.edge))
	}
	for _, s := range to.all() {
		w.load[s.edge] += weight * to.share(int(s.edge))
	}
}
