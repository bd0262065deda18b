package geography

import (
	"landfall"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
)

// What shares of clients count.
const (
	ByAddresses = "addresses"
	ByQueries   = "queries"
)

// Trial is a file of an operator to be previewed.
type Trial struct {
	Declared *landfall.Map `json:"declared"`
	Type     string        `json:"type,omitempty"` // A, AAAA or HTTPS; empty: A
	All      bool          `json:"all,omitempty"`  // list every prefix that moves
}

// View is what a picture of the world shows.
type View struct {
	Title string  `json:"title"`
	Edges []Spot  `json:"edges"`
	Dots  []Crowd `json:"dots"`
}

// Spot is an edge in the picture.
type Spot struct {
	ID     landfall.NodeID   `json:"id"`
	Region landfall.RegionID `json:"region"`
	Place  landfall.Place    `json:"place"`
	First  float64           `json:"first"`  // share of clients that it is first for
	State  string            `json:"state"`  // up, down or draining
	Serves bool              `json:"serves"` // it may be named
}

// Crowd is the clients of one place that are told the same edge first.
type Crowd struct {
	Place  landfall.Place  `json:"place"`
	Edge   landfall.NodeID `json:"edge"`
	Weight float64         `json:"weight"` // share of all
}

// Look makes the View of a plan.
func Look(m *landfall.Map, p *plan.Plan, atlas *locate.Table, down func(landfall.NodeID) bool) View {
	v := View{Title: m.Network}
	for _, l := range p.Loads() {
		n, _ := m.Node(l.Edge)
		r, _ := m.Region(n.Region)
		state := "up"
		switch {
		case down(l.Edge):
			state = "down"
		case n.EffectiveState() == landfall.Draining:
			state = "draining"
		}
		v.Edges = append(v.Edges, Spot{ID: l.Edge, Region: n.Region, Place: r.Place, First: l.First, State: state, Serves: l.Serves})
	}
	type key struct {
		place landfall.Place
		edge  landfall.NodeID
	}
	at := map[key]int{}
	for _, c := range p.Crowds() {
		loc := atlas.Location(c.Place)
		if !loc.Known || c.Weight == 0 {
			continue
		}
		k := key{loc.Place, c.Edge}
		i, ok := at[k]
		if !ok {
			i = len(v.Dots)
			at[k] = i
			v.Dots = append(v.Dots, Crowd{Place: loc.Place, Edge: c.Edge})
		}
		v.Dots[i].Weight += c.Weight
	}
	return v
}
