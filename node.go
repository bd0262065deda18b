package landfall

import (
	"crypto/sha256"
	"net/netip"
	"slices"
)

// NodeID names a node: a short label such as "fra1".
type NodeID string

// Role is a part of the work that a node does.
type Role string

// The roles.
const (
	RoleOrigin Role = "origin" // runs the application and its storage, and the control of the map
	RoleEdge   Role = "edge"   // ends TLS near users and forwards to the origin
	RoleDNS    Role = "dns"    // answers for the domain
)

// Roles are all roles, in the order they are listed to people.
func Roles() []Role { return []Role{RoleOrigin, RoleEdge, RoleDNS} }

// State is where a node stands in its life. A node never vanishes in one
// step: Active, Draining and Gone are three serials.
type State string

// The states. The empty State is Active.
//
//	invited -> active <-> draining -> gone
const (
	Invited  State = "invited"  // may join under this name; has no keys yet
	Active   State = "active"   // serves, and is named in answers
	Draining State = "draining" // serves what still comes, but is no longer named
	Gone     State = "gone"     // serves nothing; its keys are no longer accepted
)

// Node is one server of the network.
type Node struct {
	ID     NodeID   `json:"id"`
	Region RegionID `json:"region"`
	Roles  []Role   `json:"roles"`
	State  State    `json:"state,omitempty"` // empty means Active

	// Advertised are the public addresses that users and resolvers are told.
	Advertised []netip.Addr `json:"advertised,omitempty"`
	// Bound are the addresses the node's listeners bind, where they differ
	// from Advertised (behind 1:1 NAT); empty means Advertised.
	Bound []netip.Addr `json:"bound,omitempty"`

	// Weight is an edge's part of the clients for whom it and others are as
	// good, beside theirs; 0 means DefaultWeight.
	Weight int `json:"weight,omitzero"`
	// Ceiling is how many requests a second an edge can serve; 0 means
	// Steering.Ceiling.
	Ceiling int `json:"ceiling,omitzero"`

	// Protocols are what an edge that is not Landfall's speaks to users, by
	// their names in ALPN (RFC 7301), best first; empty means h2 and http/1.1,
	// which Landfall's own speak.
	Protocols []string `json:"protocols,omitempty"`

	// Endpoints are where other nodes send WireGuard datagrams, best first.
	Endpoints []netip.AddrPort `json:"endpoints,omitempty"`
	// Mesh is the node's address inside the mesh; see MeshAddr.
	Mesh netip.Addr `json:"mesh,omitzero"`
	// Key is the node's WireGuard key.
	Key PublicKey `json:"key,omitzero"`
	// Sealing is what secrets for this node are encrypted to.
	Sealing SealingKey `json:"sealing,omitzero"`
}

// Has reports whether the node has the role.
func (n Node) Has(r Role) bool { return slices.Contains(n.Roles, r) }

// Joined reports whether the node is part of the network now: it has keys,
// and they are accepted.
func (n Node) Joined() bool { return n.State != Invited && n.State != Gone }

// Listens are the addresses that the node's public listeners bind.
func (n Node) Listens() []netip.Addr {
	if len(n.Bound) > 0 {
		return n.Bound
	}
	return n.Advertised
}

// DefaultWeight is what Node.Weight means where it says nothing.
const DefaultWeight = 100

// EffectiveWeight is Weight with its default filled in.
func (n Node) EffectiveWeight() int {
	if n.Weight == 0 {
		return DefaultWeight
	}
	return n.Weight
}

// EffectiveProtocols is Protocols with its default filled in.
func (n Node) EffectiveProtocols() []string {
	if len(n.Protocols) == 0 {
		return []string{"h2", "http/1.1"}
	}
	return n.Protocols
}

// EffectiveState is State with its default filled in.
func (n Node) EffectiveState() State {
	if n.State == "" {
		return Active
	}
	return n.State
}

func (n Node) clone() Node {
	n.Roles = slices.Clone(n.Roles)
	n.Advertised = slices.Clone(n.Advertised)
	n.Bound = slices.Clone(n.Bound)
	n.Protocols = slices.Clone(n.Protocols)
	n.Endpoints = slices.Clone(n.Endpoints)
	n.Sealing.MLKEM = slices.Clone(n.Sealing.MLKEM)
	return n
}

// MeshPrefix is what the addresses of all nodes in all meshes begin with.
func MeshPrefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x6c, 0x61, 0x6e, 0x64, 0x66}), 48)
}

// MeshAddr is the address of a node inside the mesh of a network: a unique
// local address (RFC 4193) whose last 80 bits are a hash of both names, so
// that nobody has to hand addresses out.
func MeshAddr(network string, id NodeID) netip.Addr {
	a := MeshPrefix().Addr().As16()
	sum := sha256.Sum256([]byte(network + "\x00" + string(id)))
	copy(a[6:], sum[:])
	return netip.AddrFrom16(a)
}
