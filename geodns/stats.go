package geodns

import (
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/geodns/plan"

	"github.com/miekg/dns"
)

// Stats are the figures of a Server since its start.
type Stats struct {
	Queries   map[string]uint64  `metric:"queries_total" label:"transport" help:"Messages received."`
	Answers   map[string]uint64  `metric:"answers_total" label:"rcode" help:"Answers given."`
	Named     map[string]uint64  `metric:"named_total" label:"edge" help:"Answers in which an edge came first."`
	Names     map[string]uint64  `metric:"names_total" label:"name" help:"Answers by the name that was asked for; other are names that no zone has, and those beyond the first 1024."`
	Silences  uint64             `metric:"silences_total" help:"Messages that got no answer: too short, or answers themselves."`
	Subnets   uint64             `metric:"client_subnets_total" help:"Queries with a client subnet (RFC 7871)."`
	Truncated uint64             `metric:"truncated_total" help:"Answers that told the client to come again by TCP."`
	Cookies   map[string]uint64  `metric:"cookies_total" label:"cookie" help:"Queries with a cookie (RFC 7873): valid, or new where it was not or the client has none of ours."`
	Limited   uint64             `metric:"limited_total" help:"Answers held back, as the network had its share: every other dropped, the rest without records."`
	Panics    uint64             `metric:"panics_total" help:"Queries that met a fault of ours; each got SERVFAIL."`
	IOErrors  uint64             `metric:"io_errors_total" help:"Sockets that failed to receive, accept or send."`
	Evicted   uint64             `metric:"tcp_evicted_total" help:"TCP connections closed, the longest idle first, to make room for new ones."`
	Unshaken  uint64             `metric:"tls_failed_total" help:"Connections by TLS that never came about."`
	Conns     int64              `metric:"tcp_connections" help:"TCP connections open now."`
	Serial    uint64             `metric:"map_serial" help:"Serial of the map answered from; 0 before the first."`
	Issued    float64            `metric:"map_age_seconds" help:"Time since the map answered from was signed; 0 where it does not say."`
	Applied   float64            `metric:"map_applied_seconds" help:"Time since answers are by this map; 0 before the first."`
	Down      int64              `metric:"nodes_down" help:"Nodes taken to be down."`
	Informed  int64              `metric:"challenges_known" help:"1 while the challenges of a certificate authority are known; else questions for them get SERVFAIL."`
	Plan      float64            `metric:"plan_seconds" help:"Time that the last plan of answers took to make."`
	Prefixes  map[string]int64   `metric:"plan_prefixes" label:"type" help:"Prefixes that answers of a type tell apart."`
	Moved     float64            `metric:"plan_moved" help:"Share of clients that the budget lets have others than their best edges."`
	First     map[string]float64 `metric:"edge_first" label:"edge" help:"Share of clients that are told an edge first, by the plan."`
	Load      map[string]float64 `metric:"edge_load" label:"edge" help:"Share of the demand that falls to an edge, by the plan."`
	Ceiling   map[string]float64 `metric:"edge_ceiling" label:"edge" help:"The most that an edge can serve, as a share of the demand, where that is known."`
	Demand    float64            `metric:"demand" help:"Requests a second of all clients that the plan counts with; 0 is unknown."`
	Overload  int64              `metric:"overloaded" help:"1 while all clients ask for more than all edges together can serve."`
	Signed    uint64             `metric:"signatures_total" help:"Signatures made for queries: of names that nobody knew of ahead."`
	Unsigned  uint64             `metric:"signatures_refused_total" help:"Signatures for queries that there was no budget for: what was signed ahead answered, or proved those answers."`
	Left      map[string]float64 `metric:"signatures_left_seconds" label:"zone" help:"Time until the first signature of a zone expires."`
	LeftOut   int64              `metric:"records_left_out" help:"Records of the map that could not be served."`
}

// The counts of a core, by their place in a tally.
const (
	countQueries   = 0                              // by transport
	countAnswers   = countQueries + int(transports) // by rcode
	countCookies   = countAnswers + rcodes          // new, valid
	countSilences  = countCookies + 2
	countSubnets   = countSilences + 1
	countTruncated = countSubnets + 1
	counts         = countTruncated + 1

	rcodes = dns.RcodeBadCookie + 1
)

// tally is what a core has counted since it published.
type tally [counts]uint64

// figures are what a core has published. Nobody else writes to them, nor to
// the lines of memory beside.
type figures struct {
	n [counts]atomic.Uint64
	_ [64]byte
}

// named counts the answers in which an edge came first, for each core.
type named []padded

type padded struct {
	atomic.Uint64
	_ [56]byte
}

// counters are the figures of all cores, and those of what seldom happens.
type counters struct {
	cores    []figures
	asked    []asked
	edges    sync.Map // landfall.NodeID -> *named
	limited  atomic.Uint64
	panics   atomic.Uint64
	ioErrors atomic.Uint64
	evicted  atomic.Uint64
	unshaken atomic.Uint64
}

// answered counts an answer.
func (c *core) answered(rcode int) {
	c.tally[countAnswers+rcode]++
	if c.q.opt.subnet.present() {
		c.tally[countSubnets]++
	}
	if c.r.truncated {
		c.tally[countTruncated]++
	}
	c.s.count.asked[c.place][c.r.asked].Add(1)
	if c.r.named != nil {
		(*c.r.named)[c.place].Add(1)
	}
}

// publish has others see what was counted.
func (c *core) publish() {
	to := &c.s.count.cores[c.place].n
	for i, n := range &c.tally {
		if n > 0 {
			to[i].Add(n)
			c.tally[i] = 0
		}
	}
}

// sum is a count of all cores.
func (c *counters) sum(i int) (n uint64) {
	for core := range c.cores {
		n += c.cores[core].n[i].Load()
	}
	return n
}

// edge counts for an edge, from one map to the next.
func (c *counters) edge(id landfall.NodeID) *named {
	n, ok := c.edges.Load(id)
	if !ok {
		n, _ = c.edges.LoadOrStore(id, new(make(named, len(c.cores))))
	}
	return n.(*named)
}

func (n *named) sum() (all uint64) {
	for i := range *n {
		all += (*n)[i].Load()
	}
	return all
}

// Stats tells the figures.
func (s *Server) Stats() Stats {
	c := &s.count
	out := Stats{
		Queries:   map[string]uint64{},
		Answers:   map[string]uint64{},
		Named:     map[string]uint64{},
		Cookies:   map[string]uint64{"new": c.sum(countCookies), "valid": c.sum(countCookies + 1)},
		Limited:   c.limited.Load(),
		Silences:  c.sum(countSilences),
		Subnets:   c.sum(countSubnets),
		Truncated: c.sum(countTruncated),
		Panics:    c.panics.Load(),
		IOErrors:  c.ioErrors.Load(),
		Evicted:   c.evicted.Load(),
		Unshaken:  c.unshaken.Load(),
		Conns:     int64(s.conns.open()),
	}
	for i := range transports {
		out.Queries[i.String()] = c.sum(countQueries + int(i))
	}
	for i := range rcodes {
		if n := c.sum(countAnswers + i); n > 0 {
			out.Answers[rcodeName(i)] = n
		}
	}
	c.edges.Range(func(id, n any) bool {
		out.Named[string(id.(landfall.NodeID))] = n.(*named).sum()
		return true
	})
	s.state(&out)
	return out
}

// state tells what answers go by now.
func (s *Server) state(out *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.Map != nil {
		out.Serial = uint64(s.in.Map.Serial)
		out.Applied = time.Since(s.applied).Seconds()
		if issued := s.in.Map.Issued; !issued.IsZero() {
			out.Issued = time.Since(issued).Seconds()
		}
	}
	if s.in.informed {
		out.Informed = 1
	}
	for _, down := range s.in.Down {
		if down {
			out.Down++
		}
	}
	out.Names = s.count.byName(s.ledger.names)
	out.LeftOut = int64(len(s.faults))
	out.Plan = s.took.Seconds()
	out.Signed, out.Unsigned = s.online.made.Load(), s.online.refused.Load()
	out.Left = s.in.rings.left(time.Now())
	if now := s.current.Load(); now != nil {
		out.planned(now.plan)
	}
}

// planned are the figures of a plan.
func (out *Stats) planned(p *plan.Plan) {
	out.Moved, out.Demand = p.Moved(), p.Demand()
	if p.Overloaded() {
		out.Overload = 1
	}
	out.Prefixes = map[string]int64{}
	for _, k := range []plan.Kind{plan.A, plan.AAAA, plan.Both} {
		v4, v6 := p.Len(k)
		out.Prefixes[k.String()] = int64(v4 + v6)
	}
	out.First, out.Load, out.Ceiling = map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, l := range p.Loads() {
		out.First[string(l.Edge)], out.Load[string(l.Edge)] = l.First, l.Load
		if !math.IsInf(l.Ceiling, 0) {
			out.Ceiling[string(l.Edge)] = l.Ceiling
		}
	}
}

func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers { // the table has its other name, BADSIG
		return "BADVERS"
	}
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return strconv.Itoa(rcode)
}
