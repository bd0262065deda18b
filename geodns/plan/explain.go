package plan

import (
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/geodns/measure"
	"landfall/geodns/prefix"
	"landfall/geodns/resolver"
	"landfall/geodns/steer"
)

// Explanation is every step from an address to what its clients are told.
type Explanation struct {
	Kind  Kind
	Asked netip.Addr // as it was given; zero: of nobody in particular
	Addr  netip.Addr // the IPv4 address in it if it is an IPv6 address that holds one, else as given

	Override     *landfall.Override // what operators said of it; nil: nothing
	Location     landfall.Location  // where it is
	Located      netip.Prefix       // the widest prefix around Addr that is there
	Organization string             // the name of the announcing network, if known

	Resolver   *resolver.Resolver   // whose clients decide, if it is one of whom they are known
	Verdict    *measure.Verdict     // what was measured; nil: nothing
	Preference *landfall.Preference // the one that applies; nil: none

	Spread netip.Prefix // the prefix that draws among edges at one place; zero: none has to
	From   steer.From   // what distances are measured from
	Basis  steer.Basis  // which edges may be named
	Edges  []Candidate  // all edges in the order of their rank

	Best   Choice       // by rank alone, were all edges up
	Base   Choice       // the same with ceilings
	Exact  Choice       // with those edges that are up, before the budget
	Choice Choice       // what is told
	Scope  netip.Prefix // the widest prefix around Asked of which all are told this; of a resolver itself alone; invalid for nobody
}

// Candidate is one edge in an Explanation.
type Candidate struct {
	steer.Edge               // distances of a resolver's clients are not known: 0
	Preferred  int           // how far down the preference's list its region is; 0 is first
	RTT        time.Duration // measured, or predicted by distance
	Measured   bool
	Load       Load
	Named      bool
	Why        Why               // named or not
	Instead    []landfall.NodeID // in whose place it is named, if that is why
}

// Why is the reason that an edge is named or not.
type Why string

// The reasons.
const (
	ByRank     Why = "it ranks first"
	AlsoByRank Why = "it ranks among the first, and the answer names several"
	ForFull    Why = "one that ranks before it has no room"
	ForDown    Why = "one that ranks before it does not serve"
	ToExplore  Why = "measurement explores it in this epoch"
	ForBudget  Why = "the budget joins these clients with their neighbours"
	IsDown     Why = "it is down"
	IsDraining Why = "it drains"
	NoRoom     Why = "it has no room"
	GivesWay   Why = "it gives way to the edge that is explored"
	Enough     Why = "the answer is full"
)

// Explain tells how the choice for a client at an address comes about; the
// zero Addr stands for clients that give none away. With viaResolver it is that
// of the clients of a resolver that does not tell where they are.
func (p *Plan) Explain(k Kind, a netip.Addr, viaResolver bool) Explanation {
	w := p.work
	e := Explanation{Kind: k, Asked: a, Addr: a.Unmap().WithZone(""), Basis: w.basis}
	if v4, _, ok := prefix.Fold(e.Addr); ok {
		e.Addr = v4
	}
	p.place(&e)
	at := p.find(e.Addr)
	if i := slices.IndexFunc(w.resolvers, func(r resolver.Resolver) bool { return r.Addr == e.Addr }); viaResolver && i >= 0 {
		r := w.resolvers[i]
		e.Resolver, e.Scope = &r, netip.PrefixFrom(a, a.BitLen())
		at = p.solo(i)
	} else if a.IsValid() {
		_, bits := p.Lookup(k, a)
		e.Scope, _ = a.WithZone("").Prefix(bits)
		if v, ok := w.in.Measured.Find(e.Addr); ok {
			e.Verdict = &v
		}
	}
	c := &w.classes[at.class]
	if c.prefer >= 0 {
		e.Preference = &w.in.Map.Preferences[c.prefer]
	}
	choices := at.stages(w)
	for i, to := range []*Choice{&e.Best, &e.Base, &e.Exact, &e.Choice} {
		*to = w.filler.choice(choices[i], w.ranker)
	}
	order := w.ranking(c.rank)
	for i := range order.all(anyEdge) {
		e.Edges = append(e.Edges, p.candidate(&e, c, i, choices))
	}
	return e
}

// place tells where the address is, and who says so.
func (p *Plan) place(e *Explanation) {
	in := p.prepared.in
	e.Location, e.Located = in.Atlas.Locate(e.Addr)
	e.Organization = in.Atlas.Organization(e.Location.ASN)
	e.From = steer.FromClient
	if !e.Location.Known {
		e.From = steer.FromHome
	}
	e.Override = heeded(in.Map.Overrides, e.Addr, e.Location)
	if e.Addr.IsValid() && p.prepared.ranker.Ties() {
		_, bits := in.Atlas.Places().Lookup(e.Addr)
		e.Spread = steer.SpreadPrefix(e.Addr, bits)
	}
}

// heeded is the override that made a location what it is; nil if none did: the
// atlas may have been made without those of the map, and then has its own
// opinion.
func heeded(over []landfall.Override, a netip.Addr, loc landfall.Location) *landfall.Override {
	var byNetwork *landfall.Override
	for _, o := range over {
		switch {
		case !agrees(o, loc):
		case o.Prefix.IsValid() && o.Prefix.Contains(a):
			return &o
		case !o.Prefix.IsValid() && o.ASN != 0 && o.ASN == loc.ASN:
			byNetwork = &o
		}
	}
	return byNetwork
}

// agrees reports whether a location is as an override has it.
func agrees(o landfall.Override, loc landfall.Location) bool {
	if o.Country == "" && o.Place == (landfall.Place{}) {
		return !loc.Known
	}
	return loc.Known && loc.City == "" &&
		(o.Country == "" || o.Country == loc.Country) && (o.Place == landfall.Place{} || o.Place == loc.Place)
}

// spot is where in a Plan some clients are.
type spot struct {
	class uint32
	piece int // less than 0: pieces are not in force
}

// find is where the clients at an address are.
func (p *Plan) find(a netip.Addr) spot {
	w := p.work
	if !a.IsValid() {
		return p.solo(len(w.resolvers))
	}
	class, _ := w.units.Lookup(a)
	at := spot{class, none}
	if w.divided {
		at.piece = slices.IndexFunc(w.pieces, func(p piece) bool { return p.prefix.Contains(a) })
	}
	return at
}

// solo is where the nth solo class is.
func (p *Plan) solo(n int) spot {
	w := p.work
	if !w.divided {
		return spot{w.solo[n], none}
	}
	return spot{w.solo[n], len(w.Prepared.pieces) + n}
}

// stages are the picks: by rank, with ceilings, with health, with the budget.
func (s spot) stages(w *work) [4]pick {
	ranked := w.filler.fill(pick{}, w.ranking(w.classes[s.class].rank), anyEdge)
	if s.piece < 0 {
		told := w.picks[w.byClass[s.class]]
		return [4]pick{ranked, w.picks[w.baseClass[s.class]], told, told}
	}
	told := w.picks[w.told[s.piece]]
	exact := told
	if w.best != nil {
		exact = w.picks[w.best[s.piece]]
	}
	return [4]pick{ranked, w.picks[w.based[s.piece]], exact, told}
}

// candidate is an edge as the clients of a class see it.
func (p *Plan) candidate(e *Explanation, c *class, edge int, stages [4]pick) Candidate {
	w := p.work
	out := Candidate{Edge: w.ranker.Edge(edge), Load: p.loads[edge], Preferred: w.ranker.Preferred(int(c.prefer), edge)}
	out.Up = !p.state.Down[out.ID]
	out.RTT = time.Duration(w.rtt(c, edge) * float64(time.Millisecond))
	if e.Resolver == nil {
		out.Distance = w.distances(c.place)[edge]
	}
	if e.Verdict != nil {
		out.Measured = slices.ContainsFunc(e.Verdict.Estimates, func(m measure.Estimate) bool { return m.Edge == out.ID && m.Fresh })
	}
	out.Named = stages[3].has(edge)
	out.Why, out.Instead = w.why(c, edge, stages)
	return out
}

// why is the reason that an edge is named or not.
func (w *work) why(c *class, edge int, stages [4]pick) (Why, []landfall.NodeID) {
	ranked, base, exact, told := &stages[0], &stages[1], &stages[2], &stages[3]
	explored := c.lead >= 0 && exact.n > 0 && int32(exact.slots[0].edge) == c.lead
	switch {
	case !told.has(edge):
		return w.whyNot(edge, stages, explored), nil
	case !exact.has(edge):
		return ForBudget, nil
	case explored && int32(edge) == c.lead && int32(base.slots[0].edge) != c.lead:
		return ToExplore, nil
	case !base.has(edge):
		return ForDown, w.missing(base, exact)
	case !ranked.has(edge):
		return ForFull, w.missing(ranked, base)
	case int(ranked.slots[0].edge) != edge:
		return AlsoByRank, nil
	}
	return ByRank, nil
}

func (w *work) whyNot(edge int, stages [4]pick, explored bool) Why {
	ranked, base, exact := &stages[0], &stages[1], &stages[2]
	switch e := w.ranker.Edge(edge); {
	case !w.fits[edge] && e.Draining:
		return IsDraining
	case !w.fits[edge]:
		return IsDown
	case exact.has(edge):
		return ForBudget
	case base.has(edge) && explored:
		return GivesWay
	case ranked.has(edge), w.over(edge), w.full(edge):
		return NoRoom
	}
	return Enough
}

// missing are the edges of one pick that are not in another.
func (w *work) missing(of, in *pick) []landfall.NodeID {
	var out []landfall.NodeID
	for _, s := range of.all() {
		if !in.has(int(s.edge)) {
			out = append(out, w.ranker.Edge(int(s.edge)).ID)
		}
	}
	return out
}
