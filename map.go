package landfall

import (
	"iter"
	"slices"
	"time"
)

// Serial numbers the maps of one network. A map is only ever replaced by one
// with a higher Serial; 0 is a bootstrap map, made by hand on a new node and
// never signed.
type Serial uint64

// Map is one complete description of a network: where its regions are, which
// nodes stand in them, and what they serve. It is a snapshot: whoever holds
// one reads it and never changes it. Use Clone to make the next one.
type Map struct {
	Network  string    `json:"network"`           // the network's name, such as "landfall"
	Domain   string    `json:"domain"`            // the zone we are authoritative for; lower case, no final dot
	Serial   Serial    `json:"serial"`            // higher replaces lower
	Issued   time.Time `json:"issued,omitzero"`   // when the control role signed it
	Regions  []Region  `json:"regions"`           // exactly one is Home
	Nodes    []Node    `json:"nodes"`             // every node that is invited or has joined, and is not gone for good
	Services []Service `json:"services"`          // what edges answer for, by host
	Records  []Record  `json:"records,omitempty"` // further DNS records of the zones
	Zones    []Zone    `json:"zones,omitempty"`   // what we are authoritative for beside the domain, and more records for that
	Steering Steering  `json:"steering,omitzero"` // how names are answered
	Health   Health    `json:"health,omitzero"`   // how edges are probed
	Ports    Ports     `json:"ports,omitzero"`    // where the public listens, if not on the usual ports
	ACME     ACME      `json:"acme,omitzero"`     // who signs the edges' certificates, if a public authority does

	Overrides   []Override   `json:"overrides,omitempty"`   // where addresses are, better known than databases do
	Preferences []Preference `json:"preferences,omitempty"` // which regions some clients go to first

	Secondaries []Secondary `json:"secondaries,omitempty"` // name servers of others that hold copies of zones
	DNS         DNS         `json:"dns,omitzero"`          // what name servers tell of themselves

	Signing Signing `json:"signing,omitzero"` // what name servers sign zones with

	// Authority is the certificate of the network's own authority in PEM. It
	// signs the edges' certificates where ACME is not agreed to.
	Authority string `json:"authority,omitempty"`
}

// ACME names a public certificate authority and the account there (RFC 8555).
// It is in force once its terms are agreed to.
type ACME struct {
	Agreed    bool   `json:"agreed,omitzero"`     // to the authority's terms of service (RFC 8555, 7.3.3)
	Email     string `json:"email,omitempty"`     // where the authority writes to; may be empty
	Directory string `json:"directory,omitempty"` // its directory's URL; empty means DefaultDirectory
	// Roots are certificates, in PEM, that edges' certificates may come from
	// beside the system's: for a staging or private authority.
	Roots string `json:"roots,omitempty"`
}

// DefaultDirectory is Let's Encrypt's.
const DefaultDirectory = "https://acme-v02.api.letsencrypt.org/directory"

// EffectiveDirectory is Directory with its default filled in.
func (a ACME) EffectiveDirectory() string {
	if a.Directory == "" {
		return DefaultDirectory
	}
	return a.Directory
}

// Ports are the public ports of all nodes; 0 means the usual one.
type Ports struct {
	HTTP  uint16 `json:"http,omitzero"`  // 0 means 80
	HTTPS uint16 `json:"https,omitzero"` // 0 means 443
	DNS   uint16 `json:"dns,omitzero"`   // 0 means 53

	DNSTLS   uint16 `json:"dns_tls,omitzero"`   // queries by TLS (RFC 7858); 0: nobody listens
	DNSHTTPS uint16 `json:"dns_https,omitzero"` // queries by HTTPS (RFC 8484); 0: nobody listens
}

// EffectiveHTTP is the port that edges send plain HTTP to HTTPS from.
func (p Ports) EffectiveHTTP() uint16 {
	if p.HTTP == 0 {
		return 80
	}
	return p.HTTP
}

// EffectiveHTTPS is the port that edges end TLS on.
func (p Ports) EffectiveHTTPS() uint16 {
	if p.HTTPS == 0 {
		return 443
	}
	return p.HTTPS
}

// EffectiveDNS is the port that name servers answer on.
func (p Ports) EffectiveDNS() uint16 {
	if p.DNS == 0 {
		return 53
	}
	return p.DNS
}

// Clone returns a deep copy, to be changed into the next map.
func (m *Map) Clone() *Map {
	c := *m
	c.Regions = slices.Clone(m.Regions)
	c.Services = slices.Clone(m.Services)
	c.Records = slices.Clone(m.Records)
	c.Zones = slices.Clone(m.Zones)
	for i, z := range c.Zones {
		c.Zones[i].Records = slices.Clone(z.Records)
	}
	c.Signing = m.Signing.clone()
	c.Overrides = slices.Clone(m.Overrides)
	c.Secondaries = slices.Clone(m.Secondaries)
	for i, s := range c.Secondaries {
		c.Secondaries[i].From = slices.Clone(s.From)
	}
	c.Preferences = slices.Clone(m.Preferences)
	for i, p := range c.Preferences {
		c.Preferences[i].Regions = slices.Clone(p.Regions)
	}
	c.Nodes = make([]Node, len(m.Nodes))
	for i, n := range m.Nodes {
		c.Nodes[i] = n.clone()
	}
	return &c
}

// Region finds a region by its id.
func (m *Map) Region(id RegionID) (Region, bool) {
	i := slices.IndexFunc(m.Regions, func(r Region) bool { return r.ID == id })
	if i < 0 {
		return Region{}, false
	}
	return m.Regions[i], true
}

// Home is the region that holds the data. A checked map has exactly one.
func (m *Map) Home() (Region, bool) {
	i := slices.IndexFunc(m.Regions, func(r Region) bool { return r.Home })
	if i < 0 {
		return Region{}, false
	}
	return m.Regions[i], true
}

// Node finds a node by its id.
func (m *Map) Node(id NodeID) (Node, bool) {
	i := slices.IndexFunc(m.Nodes, func(n Node) bool { return n.ID == id })
	if i < 0 {
		return Node{}, false
	}
	return m.Nodes[i], true
}

// Having ranges over the nodes that have a role and have joined, in the map's
// order: draining ones too, for they still serve.
func (m *Map) Having(role Role) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for _, n := range m.Nodes {
			if n.Joined() && n.Has(role) && !yield(n) {
				return
			}
		}
	}
}

// Origins are the nodes of the home region with the origin role that have
// joined, in the map's order; the first is the one to ask first.
func (m *Map) Origins() []Node {
	var out []Node
	home, _ := m.Home()
	for n := range m.Having(RoleOrigin) {
		if n.Region == home.ID {
			out = append(out, n)
		}
	}
	return out
}

// Service finds the service of a host name, given in lower case without a
// port or final dot.
func (m *Map) Service(host string) (Service, bool) {
	i := slices.IndexFunc(m.Services, func(s Service) bool { return s.Host == host })
	if i < 0 {
		return Service{}, false
	}
	return m.Services[i], true
}
