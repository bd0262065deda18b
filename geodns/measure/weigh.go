package measure

import "slices"

// A prefix is a part of the whole by more than one measure, since queries can
// be made up: who asks a million times in the name of one prefix makes all the
// others seem to be nothing. What a place may draw is bounded by each.
const (
	byQueries  = iota // as they were counted
	byClipped         // the same, but none counts more than a clip of all
	byPrefixes        // all with queries alike
	measures
)

// clip is the part of the whole that one prefix is at most, by clipped counts.
const clip = 0.01

// parts are those of a prefix, or of what a place draws, by each measure.
type parts [measures]float64

func even(part float64) (p parts) {
	for m := range p {
		p[m] = part
	}
	return p
}

func (p *parts) add(times float64, q parts) {
	for m := range p {
		p[m] += times * q[m]
	}
}

// beyond reports whether p and some times q are more than may be, by any
// measure.
func (p *parts) beyond(may parts, times float64, q parts) bool {
	const rounding = 1e-9
	for m := range p {
		if p[m]+times*q[m] > may[m]+rounding {
			return true
		}
	}
	return false
}

// weigh finds the parts of all rows. Clients of whom no query was seen come by
// way of some resolver, and are a little.
func weigh(rows []row) {
	limit := clipped(rows)
	var total parts
	for i := range rows {
		if w := rows[i].weight; w > 0 {
			rows[i].parts = parts{byQueries: w, byClipped: min(w, limit), byPrefixes: 1}
			total.add(1, rows[i].parts)
		}
	}
	least := 0.01 / float64(len(rows))
	for i := range rows {
		for m := range total {
			rows[i].parts[m] = max(part(rows[i].parts[m], total[m]), least)
		}
	}
}

// clipped is the weight to which those above it are cut, so that none is more
// than a clip of what is left of all: that of the lightest if they are too few.
func clipped(rows []row) (limit float64) {
	var weights []float64
	rest := 0.0
	for i := range rows {
		if w := rows[i].weight; w > 0 {
			weights, rest = append(weights, w), rest+w
		}
	}
	slices.Sort(weights)
	for i, w := range slices.Backward(weights) {
		uncut := 1 - clip*float64(len(weights)-1-i) // what those heavier leave of the whole
		if uncut <= 0 {
			return w
		}
		if cut := clip * rest / uncut; w <= cut {
			return cut
		}
		limit, rest = w, rest-w
	}
	return limit
}
