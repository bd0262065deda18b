package plan

import (
	"net/netip"

	"landfall"
	"landfall/geodns/prefix"
)

// Plan has the answer for every address. It never changes: any number of
// goroutines may ask it.
type Plan struct {
	prepared *Prepared
	state    State
	work     *work
	table    *prefix.Table // picks
	moved    float64       // share of clients that the budget told others than their best

	choices  []Choice
	tables   [kinds]*prefix.Table // choices
	alike    [kinds][]uint32      // the choice that stands for each choice
	resolved map[netip.Addr]uint32
	nobody   uint32
	loads    []Load
}

// Lookup is the choice for a client at an address, and the length of the
// widest prefix around it of which all are told the same by answers of a kind:
// the choice's addresses of that kind count, and no others. The length counts
// in the address's own family. The zero Addr gets what Nobody does, and 0.
func (p *Plan) Lookup(k Kind, a netip.Addr) (choice uint32, bits int) {
	if !a.IsValid() {
		return p.Nobody(k), 0
	}
	return p.tables[k].Lookup(a)
}

// LookupResolver is the choice for the clients of a resolver that does not
// tell where they are; where nothing was learnt of them, that for the
// resolver's own address.
func (p *Plan) LookupResolver(k Kind, a netip.Addr) uint32 {
	a = a.Unmap().WithZone("")
	if i, ok := p.resolved[a]; ok {
		return p.alike[k][i]
	}
	i, _ := p.Lookup(k, a)
	return i
}

// Nobody is the choice for clients that do not give an address away (RFC 7871,
// 7.1.2): that for an unknown place.
func (p *Plan) Nobody(k Kind) uint32 { return p.alike[k][p.nobody] }

// Choice is what a number stands for. The number is of this Plan alone.
func (p *Plan) Choice(i uint32) Choice {
	if int64(i) >= int64(len(p.choices)) {
		return Choice{}
	}
	return p.choices[i]
}

// Choices is how many numbers there are.
func (p *Plan) Choices() int { return len(p.choices) }

// Table has for every address the choice for answers of a kind.
func (p *Plan) Table(k Kind) *prefix.Table { return p.tables[k] }

// Len is how many prefixes are told apart by answers of a kind.
func (p *Plan) Len(k Kind) (v4, v6 int) { return p.tables[k].Len() }

// project makes the tables of all kinds. Where choices differ in nothing that
// a kind tells, the first stands for all.
func (p *Plan) project() {
	w := p.work
	for _, c := range w.picks {
		p.choices = append(p.choices, w.filler.choice(c, w.ranker))
	}
	for k := range kinds {
		first := map[string]uint32{}
		for i, c := range p.choices {
			key := said(c.told(k))
			if _, ok := first[key]; !ok {
				first[key] = uint32(i)
			}
			p.alike[k] = append(p.alike[k], first[key])
		}
		p.tables[k] = p.shared(k)
	}
	p.resolved = map[netip.Addr]uint32{}
	for i, r := range w.resolvers {
		p.resolved[r.Addr] = w.alone(i)
	}
	p.nobody = w.alone(len(w.resolvers))
}

// shared is the table of a kind: that of another, if both tell the same apart.
func (p *Plan) shared(k Kind) *prefix.Table {
	for before := range k {
		if equal(p.alike[before], p.alike[k]) {
			return p.tables[before]
		}
	}
	return p.table.Relabel(func(i uint32) uint32 { return p.alike[k][i] })
}

func equal(a, b []uint32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// said is a text that is the same if the same addresses are told.
func said(v4, v6 []netip.Addr) string {
	var b []byte
	for _, a := range v4 {
		b = append(b, a.AsSlice()...)
	}
	b = append(b, '/')
	for _, a := range v6 {
		b = append(b, a.AsSlice()...)
	}
	return string(b)
}

// Load is what falls to one edge.
type Load struct {
	Edge    landfall.NodeID
	Load    float64 // of all demand, the share that goes to it
	First   float64 // of all clients, the share that is told it first
	Base    float64 // Load, were all edges up
	Ceiling float64 // the most that Load may be; infinite if nothing limits it
	Serves  bool    // it may be named
}

// Loads are those of all edges, by id. They are shares of Demand, if it is
// known; without, they are shares all the same.
func (p *Plan) Loads() []Load { return p.loads }

// Demand is how many requests a second all clients make; 0 is unknown.
func (p *Plan) Demand() float64 { return p.state.Demand }

// Overloaded reports whether the demand is more than the ceilings of all edges
// that serve together.
func (p *Plan) Overloaded() bool {
	sum := 0.0
	for _, l := range p.loads {
		if l.Serves {
			sum += l.Ceiling
		}
	}
	return len(p.loads) > 0 && sum < 1
}

// Moved is the share of clients that the budget let have others than their
// best edges.
func (p *Plan) Moved() float64 { return p.moved }

// tally adds up what falls to edges.
func (p *Plan) tally() {
	w := p.work
	first := make([]float64, len(w.load))
	load := make([]float64, len(w.load))
	w.each(func(weight float64, told *pick) {
		for i, s := range told.all() {
			if i == 0 {
				first[s.edge] += weight
			}
			load[s.edge] += weight * told.share(int(s.edge))
		}
	})
	for e, l := range load {
		at := Load{Edge: w.ranker.Edge(e).ID, Load: l, First: first[e], Base: w.base[e], Ceiling: infinite, Serves: w.fits[e]}
		if p.state.Demand > 0 {
			at.Ceiling = w.ceilings[e] / p.state.Demand
		}
		p.loads = append(p.loads, at)
	}
}

// each calls f for clients and what they are told.
func (w *work) each(f func(weight float64, told *pick)) {
	if w.divided {
		for i, p := range w.pieces {
			prefix.Rest(i, prefix.FewSteps)
			f(p.weight, &w.picks[w.told[i]])
		}
		return
	}
	for i, c := range w.classes {
		f(c.weight, &w.picks[w.byClass[i]])
	}
}
