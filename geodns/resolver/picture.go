package resolver

import (
	"cmp"
	"net/netip"
	"slices"

	"landfall"
)

const (
	// maxCells is how many networks, by edge, are known of one resolver.
	maxCells = 256
	// enough is how many fetches a picture needs, aged and capped.
	enough = 8
	// ofNetwork is what one network may be of a picture. A resolver with
	// fewer than four networks behind it has none: its own address tells as
	// much.
	ofNetwork = 0.25
	// ofEdge is what one edge may report of a picture, ofPair where only two
	// did.
	ofEdge, ofPair = 0.4, 0.5
)

// picture is what is known of one resolver.
type picture struct {
	cells []cell // in no order
	total float64
}

// cell is the fetches of a network's clients that one edge reported, aged.
type cell struct {
	client netip.Prefix
	edge   landfall.NodeID
	weight float64
}

// add counts a fetch. Of too many cells the lightest gives way with a chance
// of 1 in so many as it has, and its count goes to whom it belongs then: each
// is right on average. The chance is from 0 to 1.
func (p *picture) add(client netip.Prefix, edge landfall.NodeID, weight, chance float64) {
	p.total += weight
	least := 0
	for i := range p.cells {
		c := &p.cells[i]
		if c.client == client && c.edge == edge {
			c.weight += weight
			return
		}
		if c.weight < p.cells[least].weight {
			least = i
		}
	}
	if len(p.cells) < maxCells {
		p.cells = append(p.cells, cell{client, edge, weight})
		return
	}
	c := &p.cells[least]
	c.weight += weight
	if chance*c.weight < weight {
		c.client, c.edge = client, edge
	}
}

// faint is the weight below which a cell is forgotten.
const faint = 0.05

// age lets all weights shrink.
func (p *picture) age(factor float64) {
	kept := p.cells[:0]
	p.total = 0
	for _, c := range p.cells {
		if c.weight *= factor; c.weight >= faint {
			kept = append(kept, c)
			p.total += c.weight
		}
	}
	p.cells = kept
}

// clients are the networks and how many fetches each counts, in order, after
// no network and no edge counts more than its part; false if too little is
// left.
func (p *picture) clients() (shares []Share, total float64, ok bool) {
	cells := slices.Clone(p.cells)
	slices.SortFunc(cells, func(a, b cell) int {
		return cmp.Or(a.client.Compare(b.client), cmp.Compare(a.edge, b.edge))
	})
	curb(cells, func(c cell) netip.Prefix { return c.client }, func(int) float64 { return ofNetwork })
	curb(cells, func(c cell) landfall.NodeID { return c.edge }, func(n int) float64 {
		if n == 2 {
			return ofPair
		}
		return ofEdge
	})
	for _, c := range cells {
		total += c.weight
		if n := len(shares); n > 0 && shares[n-1].Prefix == c.client {
			shares[n-1].Weight += c.weight
		} else if c.weight > 0 {
			shares = append(shares, Share{c.client, c.weight})
		}
	}
	if total < enough {
		return nil, 0, false
	}
	for i := range shares {
		shares[i].Weight /= total
	}
	return shares, total, true
}

// curb scales cells down so that those with the same key are no more of the
// whole than their part, which may hang on how many keys there are.
func curb[K comparable](cells []cell, key func(cell) K, part func(n int) float64) {
	sums := map[K]float64{}
	for _, c := range cells {
		sums[key(c)] += c.weight
	}
	weights := make([]float64, 0, len(sums))
	for _, w := range sums {
		weights = append(weights, w)
	}
	limit := level(weights, part(len(sums)))
	for i := range cells {
		if c := &cells[i]; sums[key(*c)] > limit {
			c.weight *= limit / sums[key(*c)]
		}
	}
}

// level is the most that a weight may be if none is to be more than its part
// of the whole, once all that are more were cut to it: 0 if there are too few.
func level(weights []float64, part float64) float64 {
	slices.Sort(weights)
	rest := 0.0
	for _, w := range weights {
		rest += w
	}
	for i := len(weights) - 1; i >= 0; i-- {
		cut := float64(len(weights) - 1 - i) // those above i are cut
		if part*cut >= 1 {
			return 0
		}
		if limit := part * rest / (1 - part*cut); weights[i] <= limit*(1+1e-9) { // equal ones are equal
			return limit
		}
		rest -= weights[i]
	}
	return 0
}
