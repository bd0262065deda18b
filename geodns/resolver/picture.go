package resolver

import (
	"cmp"
	"net/netip"
	"slices"

	"landfall"
)

const (
	// maxCells is how many networks are known of one resolver, those that two
	// edges report counted twice.
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
	cells []cell // in order
	total float64
}

// cell is the fetches of a network's clients that one edge reported, aged.
type cell struct {
	client netip.Prefix
	edge   landfall.NodeID
	weight float64
}

func (c cell) compare(d cell) int {
	return cmp.Or(c.client.Compare(d.client), cmp.Compare(c.edge, d.edge))
}

// add counts fetches. The chance is a number from 0 to 1, as good as random.
func (p *picture) add(client netip.Prefix, edge landfall.NodeID, weight, chance float64) {
	p.total += weight
	c := cell{client, edge, weight}
	at, found := slices.BinarySearchFunc(p.cells, c, cell.compare)
	if found {
		p.cells[at].weight += weight
		return
	}
	p.cells = slices.Insert(p.cells, at, c)
	if len(p.cells) > maxCells {
		p.fold(chance)
	}
}

// fold makes one cell of the two lightest of the edge that has most, so that
// none pushes out what others report. The heavier is the likelier to stay, in
// proportion: each count is right on average, and their sum exact.
func (p *picture) fold(chance float64) {
	edge, a, b := p.widest(), -1, -1 // the lightest, and the one after it
	for i, c := range p.cells {
		switch {
		case c.edge != edge:
		case a < 0 || c.weight < p.cells[a].weight:
			a, b = i, a
		case b < 0 || c.weight < p.cells[b].weight:
			b = i
		}
	}
	if b < 0 { // as many edges as cells
		p.total -= p.cells[a].weight
		p.cells = slices.Delete(p.cells, a, a+1)
		return
	}
	sum := p.cells[a].weight + p.cells[b].weight
	if chance*sum < p.cells[b].weight {
		a, b = b, a
	}
	p.cells[a].weight = sum
	p.cells = slices.Delete(p.cells, b, b+1)
}

// widest is the edge with the most cells, of several the first to have a cell.
func (p *picture) widest() landfall.NodeID {
	type count struct {
		edge  landfall.NodeID
		cells int
	}
	var room [16]count // more are rare
	counts := room[:0]
	for _, c := range p.cells {
		i := slices.IndexFunc(counts, func(n count) bool { return n.edge == c.edge })
		if i < 0 {
			i, counts = len(counts), append(counts, count{edge: c.edge})
		}
		counts[i].cells++
	}
	return slices.MaxFunc(counts, func(a, b count) int { return cmp.Compare(a.cells, b.cells) }).edge
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
	group := make([]int, len(cells))
	networks := 0
	for i, c := range cells {
		if i == 0 || c.client != cells[i-1].client {
			networks++
		}
		group[i] = networks - 1
	}
	curb(cells, group, networks, ofNetwork)
	edges := map[landfall.NodeID]int{}
	for i, c := range cells {
		if _, ok := edges[c.edge]; !ok {
			edges[c.edge] = len(edges)
		}
		group[i] = edges[c.edge]
	}
	if len(edges) == 2 {
		curb(cells, group, 2, ofPair)
	} else {
		curb(cells, group, len(edges), ofEdge)
	}
	for _, c := range cells {
		total += c.weight
	}
	if total < enough {
		return nil, 0, false
	}
	return inParts(cells, networks, total), total, true
}

// inParts are the networks of cells, each with its part of their total.
func inParts(cells []cell, networks int, total float64) []Share {
	shares := make([]Share, 0, networks)
	for _, c := range cells {
		n := len(shares)
		if n == 0 || shares[n-1].Prefix != c.client {
			shares = append(shares, Share{Prefix: c.client})
			n++
		}
		shares[n-1].Weight += c.weight / total
	}
	return shares
}

// curb scales cells down so that none of the n groups is more of the whole
// than its part.
func curb(cells []cell, group []int, n int, part float64) {
	sums := make([]float64, n)
	for i, c := range cells {
		sums[group[i]] += c.weight
	}
	limit := level(slices.Clone(sums), part)
	for i := range cells {
		if sum := sums[group[i]]; sum > limit {
			cells[i].weight *= limit / sum
		}
	}
}

// level is the most that a weight may be if none is to be more than its part
// of the whole, once all that are more were cut to it: 0 if there are too few.
// It sorts the weights.
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
