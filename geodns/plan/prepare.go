package plan

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"landfall"
	"landfall/geodns/measure"
	"landfall/geodns/prefix"
	"landfall/geodns/resolver"
	"landfall/geodns/steer"
)

// Prepared is everything of a Plan that does not depend on State. It never
// changes, and makes any number of Plans.
type Prepared struct {
	in       Input
	ranker   *steer.Ranker
	filler   filler
	ceilings []float64 // requests a second, by edge; infinite if nothing limits it
	limited  bool      // any ceiling is finite

	draws    []steer.Draw
	verdicts []measure.Verdict
	distance []float64   // by place and edge
	rows     [][]float64 // round trips to each edge in milliseconds, where not as distance predicts
	ranks    [][]uint16  // orders of all edges
	ranked   map[string]uint32

	units     *prefix.Table // labels index classes
	traits    []traits      // by class, for those of units
	classes   []class
	weigher   *weigher
	pieces    []piece // units with weights, if they may have to be told apart
	resolvers []resolver.Resolver
	solo      []uint32 // classes of resolvers, and last that of nobody
}

// class is clients who are alike in all that counts.
type class struct {
	rank   uint32  // index of the order of edges
	row    int32   // index of their round trips; less than 0: as predicted
	place  uint32  // index of their location
	prefer int32   // index of the preference in the map; less than 0: none
	lead   int32   // the edge that explores them; less than 0: none
	weight float64 // share of all demand
}

// none is the index of nothing.
const none = -1

// Prepare does all of Compile that State has no part in; it reads neither Down
// nor Demand. A nil Map has no edges.
func Prepare(in Input) *Prepared {
	if in.Map == nil {
		in.Map = &landfall.Map{}
	}
	p := &Prepared{in: in, ranker: steer.NewRanker(in.Map), ranked: map[string]uint32{}}
	p.filler = newFiller(in.Map, p.ranker)
	p.limits()
	for v := range in.Measured.All() {
		p.verdicts = append(p.verdicts, v)
	}
	p.measureDistances()
	p.weigher = newWeigher(in.Atlas, in.Weights, in.Resolvers)
	world := p.refine()
	p.units, p.traits = world.table, world.traits
	for _, t := range p.traits {
		p.classes = append(p.classes, p.class(t))
	}
	p.weigh()
	p.listen()
	return p
}

// limits finds what each edge can serve.
func (p *Prepared) limits() {
	for i := range p.ranker.Len() {
		n, _ := p.in.Map.Node(p.ranker.Edge(i).ID)
		limit := math.Inf(1)
		if c, ok := p.in.Map.EffectiveCeiling(n); ok {
			limit, p.limited = float64(c), true
		}
		p.ceilings = append(p.ceilings, limit)
	}
}

func (p *Prepared) measureDistances() {
	for i := range p.in.Atlas.Locations() + 1 {
		p.distance = append(p.distance, p.ranker.Distances(p.in.Atlas.Location(uint32(i)))...)
	}
}

// distances are those from a place to all edges.
func (p *Prepared) distances(place uint32) []float64 {
	n := p.ranker.Len()
	return p.distance[int(place)*n : int(place+1)*n : int(place+1)*n]
}

// class is what counts of some traits.
func (p *Prepared) class(t traits) class {
	loc := p.location(t)
	c := class{row: none, place: t.place, lead: none, prefer: int32(p.ranker.Preference(t.prefer, loc))}
	view := steer.View{Known: loc.Known, Distances: p.distances(t.place), Preference: int(c.prefer)}
	if len(p.draws) > 0 {
		view.Draw = p.draws[t.draw]
	}
	if t.verdict > 0 {
		v := p.verdicts[t.verdict-1]
		view.Measured = v.Order
		c.row = p.row(v, t.place)
		if lead, ok := p.ranker.Index(v.Explore); ok {
			c.lead = int32(lead)
		}
	}
	c.rank = p.intern(p.ranker.Rank(view))
	return c
}

// intern keeps every order once.
func (p *Prepared) intern(order []int) uint32 {
	key := make([]byte, 0, 2*len(order))
	for _, e := range order {
		key = binary.BigEndian.AppendUint16(key, uint16(e))
	}
	i, ok := p.ranked[string(key)]
	if !ok {
		rank := make([]uint16, len(order))
		for j, e := range order {
			rank[j] = uint16(e)
		}
		i = uint32(len(p.ranks))
		p.ranked[string(key)] = i
		p.ranks = append(p.ranks, rank)
	}
	return i
}

// row keeps the round trips of a verdict: those measured, and predictions for
// the rest.
func (p *Prepared) row(v measure.Verdict, place uint32) int32 {
	var row []float64
	for _, e := range v.Estimates {
		i, ok := p.ranker.Index(e.Edge)
		if !ok || !e.Fresh {
			continue
		}
		if row == nil {
			for _, km := range p.distances(place) {
				row = append(row, milliseconds(steer.Predict(km)))
			}
		}
		row[i] = milliseconds(e.RTT)
	}
	if row == nil {
		return none
	}
	p.rows = append(p.rows, row)
	return int32(len(p.rows) - 1)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// rtt is the round trip from clients to an edge, in milliseconds.
func (p *Prepared) rtt(c *class, edge int) float64 {
	if c.row >= 0 {
		return p.rows[c.row][edge]
	}
	return p.predicted(c, edge)
}

// predicted is the same as geography has it.
func (p *Prepared) predicted(c *class, edge int) float64 {
	return milliseconds(steer.Predict(p.distances(c.place)[edge]))
}

// verdictTable has for every address the index of its verdict plus one; nil if
// there is none.
func (p *Prepared) verdictTable() *prefix.Table {
	var leaves []prefix.Leaf
	for i, v := range p.verdicts {
		leaves = append(leaves, prefix.Leaf{Prefix: v.Prefix, Label: uint32(i + 1)})
	}
	if leaves == nil {
		return nil
	}
	return prefix.Build(leaves)
}

// weigh gives classes their weights, and keeps those of units where they are
// needed: to move some of a class, and to spend a budget.
func (p *Prepared) weigh() {
	keep := p.limited || p.in.Map.Steering.Budget > 0
	for at, i := range p.units.All() {
		w := p.weigher.weight(at)
		p.classes[i].weight += w
		if keep {
			p.pieces = append(p.pieces, piece{at, i, w})
		}
	}
}

// piece is a prefix of clients of one class.
type piece struct {
	prefix netip.Prefix
	class  uint32
	weight float64
}
