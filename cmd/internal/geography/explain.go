package geography

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"landfall"
	"landfall/geodns/health"
	"landfall/geodns/plan"
)

// Question is what an operator wants explained.
type Question struct {
	Address  string `json:"address"`            // of the client, or a prefix, as a query's client subnet has it; empty: it gives none away
	Name     string `json:"name,omitempty"`     // empty: the first service
	Type     string `json:"type,omitempty"`     // A, AAAA or HTTPS; empty: A
	Resolver bool   `json:"resolver,omitempty"` // the address is that of a resolver that does not tell whom it asks for
}

// Explanation is every step of a choice.
type Explanation struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Serial   landfall.Serial `json:"serial"` // of the map answered by
	Asked    string          `json:"asked,omitempty"`
	Client   string          `json:"client,omitempty"` // the IPv4 address inside Asked, if that is IPv6 and holds one
	Resolver *Resolver       `json:"resolver,omitempty"`

	Override   string    `json:"override,omitempty"` // the clients that operators said something about
	Location   Location  `json:"location"`
	Measured   *Measured `json:"measured,omitempty"`
	Preference string    `json:"preference,omitempty"` // the clients that operators prefer some regions for
	Regions    []string  `json:"regions,omitempty"`    // those regions
	From       string    `json:"from"`                 // what distances are measured from
	Basis      string    `json:"basis"`                // which edges may be named
	Spread     string    `json:"spread,omitempty"`     // the prefix that draws among edges at one place
	Demand     float64   `json:"demand,omitempty"`     // requests a second of all clients; 0 is unknown
	Overloaded bool      `json:"overloaded,omitempty"` // that is more than all edges together can serve
	Edges      []Edge    `json:"edges"`

	Ranked  []landfall.NodeID `json:"ranked"` // by rank alone, were all edges up
	Base    []landfall.NodeID `json:"base"`   // and with ceilings
	Exact   []landfall.NodeID `json:"exact"`  // and with health
	Named   []landfall.NodeID `json:"named"`  // and with the budget: what is told
	Answer  []netip.Addr      `json:"answer"`
	Scope   string            `json:"scope,omitempty"` // the widest prefix of which all are told this
	Seconds float64           `json:"ttl"`
}

// Resolver is one of whom it is known who stands behind it.
type Resolver struct {
	Prefixes int     `json:"prefixes"` // of its clients
	Fetches  float64 `json:"fetches"`  // that this is known from, older ones counting less
}

// Location is where a client is.
type Location struct {
	Known        bool           `json:"known"`
	Place        landfall.Place `json:"place,omitzero"`
	City         string         `json:"city,omitempty"`
	Country      string         `json:"country,omitempty"`
	Continent    string         `json:"continent,omitempty"`
	ASN          uint32         `json:"asn,omitempty"`
	Organization string         `json:"organization,omitempty"`
	Prefix       string         `json:"prefix,omitempty"` // the widest around the client that is there
}

// Measured is what edges measured of a client's prefix.
type Measured struct {
	Prefix  string            `json:"prefix"`
	Order   []landfall.NodeID `json:"order,omitempty"`   // what it puts first; empty: geography decides
	Explore landfall.NodeID   `json:"explore,omitempty"` // the edge on trial in this epoch
	Edges   []Estimate        `json:"edges,omitempty"`
}

// Estimate is how far some clients are from one edge.
type Estimate struct {
	Edge         landfall.NodeID `json:"edge"`
	Milliseconds float64         `json:"ms"`
	Connections  float64         `json:"connections"`
	AgeSeconds   float64         `json:"age_s"`
	Enough       bool            `json:"enough"` // recent, and of samples enough
	Fresh        bool            `json:"fresh"`  // and what clients behind resolvers are steered by, too
}

// Edge is one edge as some clients see it.
type Edge struct {
	ID           landfall.NodeID   `json:"id"`
	Region       landfall.RegionID `json:"region"`
	Kilometres   float64           `json:"km"`
	Milliseconds float64           `json:"ms"`
	Measured     bool              `json:"measured,omitempty"` // else Milliseconds is predicted by distance
	Up           bool              `json:"up"`
	Draining     bool              `json:"draining,omitempty"`
	Health       *health.Reason    `json:"health,omitempty"`  // nil: nobody probes
	Load         float64           `json:"load"`              // its share of all demand
	Ceiling      *float64          `json:"ceiling,omitempty"` // the most that Load may be; nil: nothing limits it
	Named        bool              `json:"named"`
	Why          string            `json:"why"`
}

// Check tells what is wrong with a question, whoever is asked.
func (q Question) Check() error {
	_, err := parseClient(q.Address)
	if err == nil {
		_, err = ParseKind(q.Type)
	}
	return err
}

// Explain answers a question by a plan. reason tells why an edge is up or
// down; nil where nobody probes.
func Explain(m *landfall.Map, p *plan.Plan, q Question, reason func(landfall.NodeID) health.Reason) (Explanation, error) {
	name, err := steered(m, q.Name)
	if err != nil {
		return Explanation{}, err
	}
	kind, err := ParseKind(q.Type)
	if err != nil {
		return Explanation{}, err
	}
	addr, err := parseClient(q.Address)
	if err != nil {
		return Explanation{}, err
	}
	x := p.Explain(kind, addr, q.Resolver)
	out := Explanation{
		Name: name, Type: kind.String(), Serial: m.Serial, From: string(x.From), Basis: string(x.Basis),
		Location: Location{
			Known: x.Location.Known, Place: x.Location.Place, City: x.Location.City, Country: x.Location.Country,
			Continent: x.Location.Continent, ASN: x.Location.ASN, Organization: x.Organization,
		},
		Demand: p.Demand(), Overloaded: p.Overloaded(), Ranked: x.Best.Edges, Base: x.Base.Edges, Exact: x.Exact.Edges, Named: x.Choice.Edges,
		Answer: told(kind, x.Choice), Seconds: m.Steering.EffectiveTTL().Seconds(),
	}
	for text, prefix := range map[*string]netip.Prefix{&out.Scope: x.Scope, &out.Spread: x.Spread, &out.Location.Prefix: x.Located} {
		if prefix.IsValid() {
			*text = prefix.String()
		}
	}
	if addr.IsValid() {
		out.Asked = q.Address
	}
	if x.Addr != addr {
		out.Client = x.Addr.String()
	}
	out.sources(x)
	for _, c := range x.Edges {
		out.Edges = append(out.Edges, edge(c, reason))
	}
	return out, nil
}

// sources are what else the choice rests on.
func (out *Explanation) sources(x plan.Explanation) {
	if x.Override != nil {
		out.Override = x.Override.Of()
	}
	if x.Preference != nil {
		out.Preference = x.Preference.For()
		for _, r := range x.Preference.Regions {
			out.Regions = append(out.Regions, string(r))
		}
	}
	if x.Resolver != nil {
		out.Resolver = &Resolver{Prefixes: len(x.Resolver.Clients), Fetches: x.Resolver.Weight}
	}
	if v := x.Verdict; v != nil {
		out.Measured = &Measured{Prefix: v.Prefix.String(), Order: v.Order, Explore: v.Explore}
		for _, e := range v.Estimates {
			out.Measured.Edges = append(out.Measured.Edges, Estimate{e.Edge, milliseconds(e.RTT), e.Count, e.Age.Seconds(), e.Enough, e.Fresh})
		}
	}
}

func edge(c plan.Candidate, reason func(landfall.NodeID) health.Reason) Edge {
	out := Edge{
		ID: c.ID, Region: c.Region, Kilometres: math.Round(c.Distance), Milliseconds: milliseconds(c.RTT), Measured: c.Measured,
		Up: c.Up, Draining: c.Draining, Load: c.Load.Load, Named: c.Named, Why: string(c.Why),
	}
	if len(c.Instead) > 0 {
		out.Why += ": " + names(c.Instead)
	}
	if !math.IsInf(c.Load.Ceiling, 0) {
		out.Ceiling = &c.Load.Ceiling
	}
	if reason != nil {
		out.Health = new(reason(c.ID))
	}
	return out
}

func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*10) / 10
}

// told are the addresses in an answer of a kind.
func told(k plan.Kind, c plan.Choice) []netip.Addr {
	switch k {
	case plan.A:
		return c.V4
	case plan.AAAA:
		return c.V6
	}
	return slices.Concat(c.V4, c.V6)
}

// steered is a name that edges are named at: the first if none is asked for.
func steered(m *landfall.Map, name string) (string, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	var known []string
	for _, s := range m.Services {
		host := s.Host
		if s.External {
			host = m.SteeredName(s.Host)
		}
		if name == "" || name == host || name == s.Host {
			return host, nil
		}
		known = append(known, host)
	}
	if len(known) == 0 {
		return "", fmt.Errorf("the map has no service: nothing depends on where clients are")
	}
	return "", fmt.Errorf("%s is no service: its answers are the same for everybody. Services are %s", name, strings.Join(known, ", "))
}

// ParseKind reads a type that edges are named by; nothing is A.
func ParseKind(text string) (plan.Kind, error) {
	for _, k := range []plan.Kind{plan.A, plan.AAAA, plan.Both} {
		if strings.EqualFold(text, k.String()) {
			return k, nil
		}
	}
	if text == "" {
		return plan.A, nil
	}
	return 0, fmt.Errorf("type %q: want A, AAAA or HTTPS", text)
}

// parseClient reads an address, or a prefix as client subnets have it.
func parseClient(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Bits() == 0 {
			return netip.Addr{}, nil // gives no address away (RFC 7871, 7.1.2)
		}
		return p.Masked().Addr(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is neither an address nor a prefix: want such as 203.0.113.77 or 2001:db8::/48", text)
	}
	return a.WithZone(""), nil
}

func names(ids []landfall.NodeID) string {
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return strings.Join(out, ", ")
}
