package geography

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"text/tabwriter"

	"landfall"
	"landfall/geodns/plan"
)

// Preview is who would be told something else if another map were in force.
type Preview struct {
	Serial   landfall.Serial `json:"serial"` // of the map in force
	Type     string          `json:"type"`
	Weighted string          `json:"weighted"` // what shares count: "addresses" or "queries"
	Moved    float64         `json:"moved"`    // share of all
	Prefixes int             `json:"prefixes"` // that move
	Flows    []Flow          `json:"flows"`    // the largest first
	Moves    []Move          `json:"moves,omitempty"`
	Demand   float64         `json:"demand"`               // requests a second; 0 is unknown
	Idle     bool            `json:"idle,omitempty"`       // there are ceilings, and no demand to hold against them
	Over     bool            `json:"overloaded,omitempty"` // all clients ask for more than all edges could serve then
	Before   Totals          `json:"before"`
	After    Totals          `json:"after"`
}

// Flow is all clients that move from and to the same edges.
type Flow struct {
	From     []landfall.NodeID `json:"from"`
	To       []landfall.NodeID `json:"to"`
	Share    float64           `json:"share"`
	Prefixes int               `json:"prefixes"`
	Such     string            `json:"such"` // one of them
}

// Move is one prefix that moves, or the clients of one resolver.
type Move struct {
	Prefix   string            `json:"prefix"`
	Resolver bool              `json:"resolver,omitempty"`
	From     []landfall.NodeID `json:"from"`
	To       []landfall.NodeID `json:"to"`
	Share    float64           `json:"share"`
}

// Totals are the figures of one plan.
type Totals struct {
	Prefixes int                         `json:"prefixes"` // that are told apart
	First    map[landfall.NodeID]float64 `json:"first"`    // share of clients that each edge is first for
	Load     map[landfall.NodeID]float64 `json:"load"`     // share of demand that each edge serves
	Ceiling  map[landfall.NodeID]float64 `json:"ceiling,omitempty"`
}

// Compare tells what another plan would change for answers of a type. With
// all every prefix that moves is listed.
func Compare(now, next *landfall.Map, before, after *plan.Plan, kind plan.Kind, weighted string, all bool) Preview {
	moves := plan.Diff(before, after, kind)
	out := Preview{
		Serial: now.Serial, Type: kind.String(), Weighted: weighted, Moved: plan.Moved(moves), Prefixes: len(moves),
		Demand: after.Demand(), Idle: after.Demand() == 0 && ceilings(next), Over: after.Overloaded(),
		Before: totals(before, kind), After: totals(after, kind),
	}
	for _, f := range plan.Flows(moves) {
		out.Flows = append(out.Flows, Flow{From: f.From.Edges, To: f.To.Edges, Share: f.Share, Prefixes: f.Prefixes, Such: f.Such.String()})
	}
	if all {
		for _, m := range moves {
			out.Moves = append(out.Moves, Move{m.Prefix.String(), m.Resolver, m.From.Edges, m.To.Edges, m.Share})
		}
	}
	return out
}

// ceilings reports whether any edge of a map has one.
func ceilings(m *landfall.Map) bool {
	for n := range m.Having(landfall.RoleEdge) {
		if _, limited := m.EffectiveCeiling(n); limited {
			return true
		}
	}
	return false
}

func totals(p *plan.Plan, kind plan.Kind) Totals {
	v4, v6 := p.Len(kind)
	t := Totals{Prefixes: v4 + v6, First: map[landfall.NodeID]float64{}, Load: map[landfall.NodeID]float64{}}
	for _, l := range p.Loads() {
		t.First[l.Edge], t.Load[l.Edge] = l.First, l.Load
		if !math.IsInf(l.Ceiling, 0) {
			if t.Ceiling == nil {
				t.Ceiling = map[landfall.NodeID]float64{}
			}
			t.Ceiling[l.Edge] = l.Ceiling
		}
	}
	return t
}

// maxFlows is how many are told to people.
const maxFlows = 20

// Write tells a preview to people.
func (p Preview) Write(out io.Writer) error {
	w := &page{}
	w.text("%s of %s would be told something else (%s), in %d prefixes\n", percent(p.Moved), p.Weighted, p.Type, p.Prefixes)
	t := tabwriter.NewWriter(&w.b, 0, 0, 2, ' ', 0)
	for i, f := range p.Flows {
		if i == maxFlows {
			fmt.Fprintf(t, "  and %d more kinds\n", len(p.Flows)-i)
			break
		}
		fmt.Fprintf(t, "  %s\t%s -> %s\t%d prefixes, such as %s\n", percent(f.Share), edges(f.From), edges(f.To), f.Prefixes, f.Such)
	}
	t.Flush()
	for _, m := range p.Moves {
		who := m.Prefix
		if m.Resolver {
			who = "resolver " + who
		}
		w.text("%s: %s -> %s\n", who, edges(m.From), edges(m.To))
	}
	w.text("\ndistinct prefixes: %d -> %d\n\n%s", p.Before.Prefixes, p.After.Prefixes, p.loads())
	if p.Idle {
		w.text("\nThe demand is not known: ceilings have no effect now, and will move clients when it is.\n")
	}
	if p.Over {
		w.text("\nAll clients ask for more than all edges could serve: each would get as much too much.\n")
	}
	_, err := io.WriteString(out, w.b.String())
	return err
}

// loads is what falls to each edge before and after.
func (p Preview) loads() string {
	w := &page{}
	t := tabwriter.NewWriter(&w.b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "EDGE\tFIRST FOR\tWOULD BE\tLOAD\tWOULD BE\tCEILING\n")
	seen := map[landfall.NodeID]bool{}
	for _, of := range []Totals{p.Before, p.After} {
		for _, id := range sorted(of.First) {
			if seen[id] {
				continue
			}
			seen[id] = true
			ceiling := "-"
			if c, ok := p.After.Ceiling[id]; ok {
				ceiling = percent(c)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", id, percent(p.Before.First[id]), percent(p.After.First[id]), percent(p.Before.Load[id]), percent(p.After.Load[id]), ceiling)
		}
	}
	t.Flush()
	return w.b.String()
}

func edges(ids []landfall.NodeID) string {
	if len(ids) == 0 {
		return "nobody"
	}
	return names(ids)
}

func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0:
		return "0%"
	case p < 0.01:
		return "<0.01%"
	default:
		return fmt.Sprintf("%.2f%%", p)
	}
}

func sorted(of map[landfall.NodeID]float64) []landfall.NodeID {
	return slices.Sorted(maps.Keys(of))
}
