package control

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
)

// Operator does what operators ask for.
type Operator interface {
	// SetState moves a node along its life; the empty State leaves it out of
	// the map.
	SetState(ctx context.Context, node landfall.NodeID, to landfall.State) (landfall.Serial, error)
	// Set changes what a node brought with it.
	Set(ctx context.Context, s Setting) (landfall.Serial, error)
	// CutOff takes a node out of the map at once, from wherever in its life it
	// is and whatever that leaves nobody to do.
	CutOff(ctx context.Context, node landfall.NodeID) (landfall.Serial, error)
	// Invite lets a server join under a name.
	Invite(ctx context.Context, i Invitation) (Invited, error)
	// Apply makes the declared part of a map that of the network's.
	Apply(ctx context.Context, a Application) (Applied, error)
	// Certificates lists the certificates of the fleet.
	Certificates(ctx context.Context) ([]admin.Certificate, error)
	// Renew orders certificates anew, with fresh keys.
	Renew(ctx context.Context, r Renewal) (Renewed, error)
}

// Invitation says who may join and as what.
type Invitation struct {
	Node   landfall.NodeID   `json:"node"`
	Region landfall.RegionID `json:"region"`
	Place  *landfall.Place   `json:"place,omitempty"` // of the region; needed if it is new
	Roles  []landfall.Role   `json:"roles"`
	Valid  time.Duration     `json:"valid"` // how long the token can be used
	// Addresses are the server's, and it can join with no others; none has it
	// find them out.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Ceiling is how many requests a second the server can serve as an edge;
	// 0 is that of the network.
	Ceiling int `json:"ceiling,omitempty"`
}

// Invited is the answer to an Invitation.
type Invited struct {
	Network string    `json:"network"`
	Token   string    `json:"token"` // secret
	Expires time.Time `json:"expires"`
	// NewRegion tells that the region was added, for the operator's file.
	NewRegion bool `json:"new_region,omitempty"`
}

// Application is a map that an operator declared.
type Application struct {
	// Base is the serial of the map that the operator compared with; the
	// application fails if there is a newer one.
	Base     landfall.Serial `json:"base"`
	Declared *landfall.Map   `json:"declared"`
}

// Applied is the answer to an Application.
type Applied struct {
	Serial landfall.Serial `json:"serial"`
	// Kept are regions that the file does not have but nodes stand in.
	Kept []landfall.RegionID `json:"kept,omitempty"`
}

// Renewal says which certificates to order anew.
type Renewal struct {
	Hosts  []string `json:"hosts,omitempty"`  // empty: all
	Revoke bool     `json:"revoke,omitempty"` // the old ones: their keys may be in wrong hands
}

// Renewed is the answer to a Renewal.
type Renewed struct {
	// Irrevocable says that the old certificates are good until they end: the
	// authority has no means to take them back.
	Irrevocable bool `json:"irrevocable,omitempty"`
}

// Setting is what a node is from now on; what is empty stays as it is.
type Setting struct {
	Node       landfall.NodeID `json:"node"`
	Advertised []netip.Addr    `json:"advertised,omitempty"`
	Bound      []netip.Addr    `json:"bound,omitempty"` // with Advertised: what it binds instead; empty: the same
	Roles      []landfall.Role `json:"roles,omitempty"`
	Weight     *int            `json:"weight,omitempty"`  // 0 is the default
	Ceiling    *int            `json:"ceiling,omitempty"` // requests a second; 0 is that of the network
}

// Change makes the setting that of the node in a map. Where other nodes send
// their datagrams follows the addresses, at the port there is.
func (s Setting) Change(m *landfall.Map) error {
	before := m.Clone()
	if err := s.change(m); err != nil {
		return err
	}
	return Served(before, m)
}

func (s Setting) change(m *landfall.Map) error {
	i := slices.IndexFunc(m.Nodes, func(n landfall.Node) bool { return n.ID == s.Node })
	if i < 0 {
		return fmt.Errorf("there is no node %q", s.Node)
	}
	n := &m.Nodes[i]
	if !n.Joined() {
		return fmt.Errorf("node %s is %s: only one that has joined can be changed", s.Node, n.EffectiveState())
	}
	if len(s.Roles) > 0 {
		n.Roles = s.Roles
	}
	if s.Weight != nil {
		n.Weight = *s.Weight
	}
	if s.Ceiling != nil {
		n.Ceiling = *s.Ceiling
	}
	if len(s.Advertised) == 0 {
		return nil
	}
	if len(n.Endpoints) == 0 {
		return fmt.Errorf("node %s has no port for the mesh in the map: remove it, and let it join again", s.Node)
	}
	port := n.Endpoints[0].Port()
	n.Advertised, n.Bound, n.Endpoints = s.Advertised, s.Bound, nil
	for _, a := range s.Advertised {
		n.Endpoints = append(n.Endpoints, netip.AddrPortFrom(a, port))
	}
	return nil
}
