package plan

import "landfall"

// Crowd is the clients at one place who are told an edge first.
type Crowd struct {
	Place  uint32 // index of the location in the atlas; 0 is unknown
	Edge   landfall.NodeID
	Weight float64 // share of all clients
}

// Crowds are all clients whose addresses are known, in the order of their
// places as the Plan came upon them.
func (p *Plan) Crowds() []Crowd {
	w := p.work
	type key struct {
		place uint32
		edge  uint16
	}
	var out []Crowd
	at := map[key]int{}
	add := func(class, told uint32, weight float64) {
		c := &w.picks[told]
		if c.n == 0 {
			return
		}
		k := key{w.classes[class].place, c.slots[0].edge}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, Crowd{Place: k.place, Edge: w.ranker.Edge(int(k.edge)).ID})
		}
		out[i].Weight += weight
	}
	if w.divided {
		for i, p := range w.pieces {
			add(p.class, w.told[i], p.weight)
		}
		return out
	}
	for i, c := range w.classes {
		add(uint32(i), w.byClass[i], c.weight)
	}
	return out
}
