package plan

import (
	"net/netip"
	"slices"

	"landfall"
	"landfall/geodns/steer"
)

// Choice is what some clients are told.
type Choice struct {
	Edges  []landfall.NodeID // the first is the one to try first
	V4, V6 []netip.Addr      // their addresses, as many as an answer has
}

// Kind is a kind of question.
type Kind uint8

// The kinds of question.
const (
	A    Kind = iota // for IPv4 addresses
	AAAA             // for IPv6 addresses
	Both             // for both at once, as HTTPS records tell them
	kinds
)

// String is the type that asks so.
func (k Kind) String() string {
	return [...]string{"A", "AAAA", "HTTPS"}[min(k, Both)]
}

// told cuts a choice down to what an answer of a kind tells of it.
func (c Choice) told(k Kind) (v4, v6 []netip.Addr) {
	switch k {
	case A:
		return c.V4, nil
	case AAAA:
		return nil, c.V6
	default:
		return c.V4, c.V6
	}
}

// slots are the part of an edge in a pick: how many addresses of each family
// are told.
type slots struct {
	edge   uint16
	v4, v6 uint8
}

// size is how many slots these are: browsers take the family they like.
func (s slots) size() uint8 { return max(s.v4, s.v6) }

// A pick has at most this many edges: two families of MaxAnswers addresses
// that no two edges share in, less the one that ends it.
const maxPicked = 2*landfall.MaxAnswers - 1

// pick is a choice in a form that can be compared.
type pick struct {
	n     uint8
	slots [maxPicked]slots
}

func (c *pick) all() []slots { return c.slots[:c.n] }

// has finds an edge.
func (c *pick) find(edge int) int {
	return slices.IndexFunc(c.all(), func(s slots) bool { return int(s.edge) == edge })
}

func (c *pick) has(edge int) bool { return c.find(edge) >= 0 }

// without is c, but for an edge.
func (c pick) without(edge int) pick {
	if i := c.find(edge); i >= 0 {
		copy(c.slots[i:], c.slots[i+1:c.n])
		c.n--
		c.slots[c.n] = slots{}
	}
	return c
}

// slotsOf are those of an edge; none if it is not told.
func (c *pick) slotsOf(edge int) slots {
	if i := c.find(edge); i >= 0 {
		return c.slots[i]
	}
	return slots{}
}

// with is c and slots of an edge that it does not tell.
func (c pick) with(s slots) pick {
	if s.size() > 0 {
		c.slots[c.n] = s
		c.n++
	}
	return c
}

// share is the part of its clients' demand that goes to an edge.
func (c *pick) share(edge int) float64 {
	all, own := 0, int(c.slotsOf(edge).size())
	for _, s := range c.all() {
		all += int(s.size())
	}
	if own == 0 {
		return 0
	}
	return float64(own) / float64(all)
}

// filler makes picks of the edges of one map.
type filler struct {
	v4, v6  [][]netip.Addr // of each edge
	answers int
}

func newFiller(m *landfall.Map, r *steer.Ranker) filler {
	f := filler{answers: min(max(m.Steering.EffectiveAnswers(), 1), landfall.MaxAnswers)}
	for i := range r.Len() {
		n, _ := m.Node(r.Edge(i).ID)
		var v4, v6 []netip.Addr
		for _, a := range n.Advertised {
			if a = a.Unmap(); a.Is4() {
				v4 = append(v4, a)
			} else if a.Is6() {
				v6 = append(v6, a)
			}
		}
		f.v4, f.v6 = append(f.v4, v4), append(f.v6, v6)
	}
	return f
}

// full reports whether one family has as many addresses as an answer holds.
func (f *filler) full(c *pick) bool {
	v4, v6 := 0, 0
	for _, s := range c.all() {
		v4, v6 = v4+int(s.v4), v6+int(s.v6)
	}
	return max(v4, v6) >= f.answers
}

// add gives an edge as many slots as it can fill of those that are free. Both
// families are of the same edges, whichever of them a client takes.
func (f *filler) add(c *pick, edge int) {
	v4, v6 := f.answers, f.answers
	for _, s := range c.all() {
		if int(s.edge) != edge {
			v4, v6 = v4-int(s.v4), v6-int(s.v6)
		}
	}
	s := slots{uint16(edge), uint8(min(v4, len(f.v4[edge]))), uint8(min(v6, len(f.v6[edge])))}
	switch i := c.find(edge); {
	case i >= 0:
		c.slots[i] = s
	case s.size() > 0 && c.n < maxPicked:
		c.slots[c.n] = s
		c.n++
	}
}

// fill gives the free slots of c to edges in the order of rank. Edges of c
// come first to take more.
func (f *filler) fill(c pick, rank ranking, may func(edge int) bool) pick {
	if !f.full(&c) {
		for e := range rank.all(may) {
			if f.add(&c, e); f.full(&c) {
				break
			}
		}
	}
	return c.ordered(rank)
}

// ordered is c with its edges in the order of rank.
func (c pick) ordered(rank ranking) pick {
	if c.n > 1 {
		slices.SortFunc(c.slots[:c.n], func(a, b slots) int { return rank.compare(int(a.edge), int(b.edge)) })
	}
	return c
}

// led is c with an edge before all others.
func (f *filler) led(c pick, edge int) pick {
	out := pick{}
	f.add(&out, edge)
	for _, s := range c.all() {
		if f.full(&out) {
			break
		}
		if int(s.edge) != edge {
			f.add(&out, int(s.edge))
		}
	}
	return out
}

// choice is a pick for the world outside.
func (f *filler) choice(c pick, r *steer.Ranker) Choice {
	var out Choice
	for _, s := range c.all() {
		out.Edges = append(out.Edges, r.Edge(int(s.edge)).ID)
		out.V4 = append(out.V4, f.v4[s.edge][:s.v4]...)
		out.V6 = append(out.V6, f.v6[s.edge][:s.v6]...)
	}
	return out
}
