package landfall

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Steering is the operators' policy for answers about services.
type Steering struct {
	TTL     time.Duration `json:"ttl,omitzero"`     // how long a resolver may keep an answer; 0 means DefaultTTL
	Answers int           `json:"answers,omitzero"` // addresses of one family in an answer; 0 means DefaultAnswers

	// Budget is the share of clients that may be told other edges than the
	// best, so that the map has fewer prefixes and resolvers' caches serve
	// more; 0 tells everybody the best.
	Budget Share `json:"budget,omitzero"`
	// WorseBy is how much longer such a client's round trips may be; 0 means
	// DefaultWorseBy.
	WorseBy time.Duration `json:"worse_by,omitzero"`
	// Ceiling is how many requests a second each edge can serve that has no
	// ceiling of its own; 0 is no limit.
	Ceiling int `json:"ceiling,omitzero"`
}

// What Steering means where it says nothing. Thirty seconds is what users
// wait at most for a dead edge; two addresses let a browser try the second
// at once; twenty milliseconds more are not felt.
const (
	DefaultTTL     = 30 * time.Second
	DefaultAnswers = 2
	DefaultWorseBy = 20 * time.Millisecond
)

// EffectiveTTL is TTL with its default filled in.
func (s Steering) EffectiveTTL() time.Duration {
	if s.TTL == 0 {
		return DefaultTTL
	}
	return s.TTL
}

// EffectiveAnswers is Answers with its default filled in.
func (s Steering) EffectiveAnswers() int {
	if s.Answers == 0 {
		return DefaultAnswers
	}
	return s.Answers
}

// EffectiveWorseBy is WorseBy with its default filled in.
func (s Steering) EffectiveWorseBy() time.Duration {
	if s.WorseBy == 0 {
		return DefaultWorseBy
	}
	return s.WorseBy
}

// EffectiveCeiling is how many requests a second an edge of m can serve, and
// false if nothing limits it.
func (m *Map) EffectiveCeiling(n Node) (ceiling int, limited bool) {
	if n.Ceiling > 0 {
		return n.Ceiling, true
	}
	return m.Steering.Ceiling, m.Steering.Ceiling > 0
}

// Share is a part of a whole, from 0 to 1.
type Share float64

// ParseShare reads a percentage such as "0.5%".
func ParseShare(s string) (Share, error) {
	number, ok := strings.CutSuffix(s, "%")
	p, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("share %q: want a percentage such as 0.5%%", s)
	}
	if !(p >= 0 && p <= 100) {
		return 0, fmt.Errorf("share %q: want 0%% to 100%%", s)
	}
	return Share(p / 100), nil
}

// String is the form that ParseShare reads.
func (s Share) String() string {
	return strconv.FormatFloat(float64(s)*100, 'g', 12, 64) + "%"
}

// Override says where the clients of a prefix or of a network are, whatever
// databases say. A prefix is stronger than an ASN.
type Override struct {
	Prefix netip.Prefix `json:"prefix,omitzero"` // one of Prefix and ASN
	ASN    uint32       `json:"asn,omitzero"`    // number of the announcing network (RFC 6793)

	Place   Place  `json:"place,omitzero"`    // where they are; zero: in the middle of Country
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2; with neither, nothing is known of them
}

// Of names the clients: "203.0.113.0/24" or "AS64500".
func (o Override) Of() string { return clients(o.Prefix, o.ASN, "", "") }

// Preference sends clients to some regions first, whatever is nearer to them:
// those of a prefix, of a network, in a country or on a continent, or with
// none of these everybody. The first of these that applies is heeded, in this
// order. The edges of other regions come after those named.
type Preference struct {
	Prefix    netip.Prefix `json:"prefix,omitzero"`
	ASN       uint32       `json:"asn,omitzero"`
	Country   string       `json:"country,omitempty"`   // ISO 3166-1 alpha-2
	Continent string       `json:"continent,omitempty"` // AF, AN, AS, EU, NA, OC or SA

	Regions []RegionID `json:"regions"` // the first is the most preferred
}

// For names the clients: "203.0.113.0/24", "AS64500", "country DE",
// "continent EU" or "everybody".
func (p Preference) For() string { return clients(p.Prefix, p.ASN, p.Country, p.Continent) }

func clients(prefix netip.Prefix, asn uint32, country, continent string) string {
	switch {
	case prefix.IsValid():
		return prefix.String()
	case asn != 0:
		return fmt.Sprintf("AS%d", asn)
	case country != "":
		return "country " + country
	case continent != "":
		return "continent " + continent
	}
	return "everybody"
}

// Health is how name servers probe edges.
type Health struct {
	Probe    ProbeKind     `json:"probe,omitempty"`   // empty means ProbeHTTPS
	Path     string        `json:"path,omitempty"`    // what ProbeHTTPS and ProbeHTTP ask for; empty: the edge's own health
	Interval time.Duration `json:"interval,omitzero"` // between the beginnings of two probes; 0 means DefaultProbeInterval
	Timeout  time.Duration `json:"timeout,omitzero"`  // how long one may take; 0 means DefaultProbeTimeout
	Rise     int           `json:"rise,omitzero"`     // good probes in a row that make an edge up; 0 means DefaultRise
	Fall     int           `json:"fall,omitzero"`     // failed ones that make it down; 0 means DefaultFall
}

// ProbeKind is a way to find out whether an edge serves.
type ProbeKind string

// The probes.
const (
	ProbeHTTPS ProbeKind = "https" // a request over TLS with a certificate that is checked, as a browser makes
	ProbeHTTP  ProbeKind = "http"  // a request in clear text
	ProbeTCP   ProbeKind = "tcp"   // a connection to the port of HTTPS
	ProbeMesh  ProbeKind = "mesh"  // a request through the mesh: reaches who is hidden from the public network
)

// What Health means where it says nothing.
const (
	DefaultProbeInterval = 500 * time.Millisecond
	DefaultProbeTimeout  = 3 * time.Second
	DefaultRise          = 2
	DefaultFall          = 3
)

// EffectiveProbe is Probe with its default filled in.
func (h Health) EffectiveProbe() ProbeKind {
	if h.Probe == "" {
		return ProbeHTTPS
	}
	return h.Probe
}
