package steer

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"landfall"
)

// Ranker ranks the edges of one map. It is made once for a map and never
// changes. Its methods name edges by their index in the order of their ids.
type Ranker struct {
	edges   []Edge
	places  []landfall.Place
	weights []float64
	salts   []uint64 // by edge, for draws
	salt    uint64   // of the network
	ties    [][]int  // edges that stand at one place, where there are several
	home    landfall.Region
	prefer  preferences
}

// NewRanker makes the Ranker of m.
func NewRanker(m *landfall.Map) *Ranker {
	r := &Ranker{salt: hash(m.Network), prefer: newPreferences(m)}
	r.home, _ = m.Home()
	nodes := slices.SortedFunc(m.Having(landfall.RoleEdge), func(a, b landfall.Node) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for _, n := range nodes {
		region, _ := m.Region(n.Region)
		r.edges = append(r.edges, Edge{ID: n.ID, Region: n.Region, Draining: n.EffectiveState() == landfall.Draining})
		r.places = append(r.places, region.Place)
		r.weights = append(r.weights, float64(max(n.EffectiveWeight(), 1)))
		r.salts = append(r.salts, hash(string(n.ID)))
	}
	r.ties = ties(r.places)
	return r
}

// ties are the groups of two and more that have one place.
func ties(places []landfall.Place) [][]int {
	var out [][]int
	for i, p := range places {
		if slices.Index(places, p) != i {
			continue
		}
		var here []int
		for j := i; j < len(places); j++ {
			if places[j] == p {
				here = append(here, j)
			}
		}
		if len(here) > 1 {
			out = append(out, here)
		}
	}
	return out
}

// Len is the number of edges.
func (r *Ranker) Len() int { return len(r.edges) }

// Edge is an edge as nobody in particular sees it: without distance, and not
// up.
func (r *Ranker) Edge(i int) Edge { return r.edges[i] }

// Index finds an edge by id.
func (r *Ranker) Index(id landfall.NodeID) (int, bool) {
	return slices.BinarySearchFunc(r.edges, id, func(e Edge, id landfall.NodeID) int { return cmp.Compare(e.ID, id) })
}

// Distances are those of all edges, in kilometres of great circle: from a
// client's place, or from home if it is not known.
func (r *Ranker) Distances(loc landfall.Location) []float64 {
	from := r.home.Place
	if loc.Known {
		from = loc.Place
	}
	out := make([]float64, len(r.places))
	for i, p := range r.places {
		out[i] = from.Distance(p)
	}
	return out
}

// View is what edges are ranked by.
type View struct {
	Known      bool              // whether the client's place is known
	Distances  []float64         // as Ranker.Distances gives them
	Preference int               // as Ranker.Preference gives it
	Measured   []landfall.NodeID // edges that measurement puts first, the best first
	Draw       Draw              // as Ranker.Draw gives it
}

// Rank puts all edges in order, the best first, whether they are up or not.
func (r *Ranker) Rank(v View) []int {
	order := make([]int, len(r.edges))
	for i := range order {
		order[i] = i
	}
	compare := r.comparing(v)
	slices.SortFunc(order, func(a, b int) int {
		if c := compare(a, b); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(v.Draw.position(a), v.Draw.position(b)), a-b)
	})
	return order
}

// comparing compares edges by all but what they drew.
func (r *Ranker) comparing(v View) func(a, b int) int {
	preferred, measured := r.preferred(v.Preference), r.measured(v.Measured)
	away := func(e int) bool { return !v.Known && r.edges[e].Region == r.home.ID }
	return func(a, b int) int {
		if c := cmp.Or(preferred[a]-preferred[b], measured[a]-measured[b], compareBool(away(a), away(b)), cmp.Compare(v.Distances[a], v.Distances[b])); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(r.places[a].Lat, r.places[b].Lat), cmp.Compare(r.places[a].Lon, r.places[b].Lon))
	}
}

// Preferred is where an edge's region stands in the list of a preference,
// counted from 0; those that are not in it stand last.
func (r *Ranker) Preferred(preference, edge int) int {
	if preference < 0 {
		return 0
	}
	regions := r.prefer.regions[preference]
	if i := slices.Index(regions, r.edges[edge].Region); i >= 0 {
		return i
	}
	return len(regions)
}

func (r *Ranker) preferred(preference int) []int {
	out := make([]int, len(r.edges))
	for i := range out {
		out[i] = r.Preferred(preference, i)
	}
	return out
}

// measured are the edges' places in the order that was measured. An edge that
// was not measured shares that of the best at its place: nothing is known that
// would tell the two apart. All others are last.
func (r *Ranker) measured(order []landfall.NodeID) []int {
	out := make([]int, len(r.edges))
	if len(order) == 0 {
		return out
	}
	for i := range out {
		out[i] = len(order)
	}
	for rank, id := range slices.Backward(order) {
		if i, ok := r.Index(id); ok {
			out[i] = rank
		}
	}
	for _, tie := range r.ties {
		best := len(order)
		for _, i := range tie {
			best = min(best, out[i])
		}
		for _, i := range tie {
			if out[i] == len(order) {
				out[i] = best
			}
		}
	}
	return out
}

// compareBool puts true first.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// Client is what is known of a client.
type Client struct {
	Location landfall.Location
	Addr     netip.Addr        // for preferences by prefix; the zero Addr: nobody knows
	Spread   netip.Prefix      // the prefix it draws with, see SpreadPrefix; may be zero
	Epoch    uint64            // the epoch in which it draws
	Measured []landfall.NodeID // edges that measurement puts first, the best first
}

// View is how a client's edges are ranked.
func (r *Ranker) View(c Client) View {
	byPrefix, _ := r.PreferredPrefixes().Lookup(c.Addr)
	return View{
		Known:      c.Location.Known,
		Distances:  r.Distances(c.Location),
		Preference: r.Preference(byPrefix, c.Location),
		Measured:   c.Measured,
		Draw:       r.Draw(c.Spread, c.Epoch),
	}
}
