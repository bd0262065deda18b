package plan

import (
	"fmt"
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

	lots     []steer.Lots
	verdicts []measure.Verdict
	measured []uint32  // index of each verdict's order, counted from 1
	distance []float64 // by place and edge
	rows     []row     // where round trips are not as distance predicts
	orders   []steer.Order
	alike    map[string]uint32 // orders by what they say
	sorted   map[sorting]uint32
	ranks    []rank
	ranked   map[rank]uint32

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
	rank   uint32  // index of their rank
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
	p := &Prepared{in: in, ranker: steer.NewRanker(in.Map), alike: map[string]uint32{}, sorted: map[sorting]uint32{}, ranked: map[rank]uint32{}}
	p.filler = newFiller(in.Map, p.ranker)
	p.limits()
	p.hear(in.Measured)
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
	if t.verdict > 0 {
		v := p.verdicts[t.verdict-1]
		c.row = p.row(v)
		if lead, ok := p.ranker.Index(v.Explore); ok {
			c.lead = int32(lead)
		}
	}
	r := rank{order: p.order(t, loc.Known, c.prefer)}
	if len(p.lots) > 0 {
		r.lots = p.lots[t.draw]
	}
	c.rank = p.rank(r)
	return c
}

// hear takes verdicts in, and numbers their orders.
func (p *Prepared) hear(view *measure.View) {
	index := map[string]uint32{}
	for v := range view.All() {
		key := fmt.Sprint(v.Order)
		if index[key] == 0 {
			index[key] = uint32(len(index) + 1)
		}
		p.verdicts, p.measured = append(p.verdicts, v), append(p.measured, index[key])
	}
}

// row is round trips in milliseconds: to all edges, or to some.
type row struct {
	all  []float64 // by edge
	some []trip
}

type trip struct {
	edge int
	ms   float64
}

// row keeps the round trips that were measured.
func (p *Prepared) row(v measure.Verdict) int32 {
	var r row
	for _, e := range v.Estimates {
		if i, ok := p.ranker.Index(e.Edge); ok && e.Fresh {
			r.some = append(r.some, trip{i, milliseconds(e.RTT)})
		}
	}
	if r.some == nil {
		return none
	}
	p.rows = append(p.rows, r)
	return int32(len(p.rows) - 1)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// rtt is the round trip from clients to an edge, in milliseconds.
func (p *Prepared) rtt(c *class, edge int) float64 {
	if c.row < 0 {
		return p.predicted(c, edge)
	}
	r := &p.rows[c.row]
	if r.all != nil {
		return r.all[edge]
	}
	for _, t := range r.some {
		if t.edge == edge {
			return t.ms
		}
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
	if keep {
		v4, v6 := p.units.Len()
		p.pieces = make([]piece, 0, v4+v6)
	}
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
