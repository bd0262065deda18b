package join

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

// How long an invitation stands.
const (
	DefaultValid = 24 * time.Hour
	MaxValid     = 30 * 24 * time.Hour
)

// BookConfig is what a Book is made of.
type BookConfig struct {
	Control *mapsync.Control
	Key     landfall.MapKey  // whose maps new nodes will take
	Dir     *os.Root         // holds a file for each invitation; stays the caller's to close
	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger     // nil is silent
}

// Book keeps the invitations of a network, at its control. The map says who
// is invited and who has joined; the book's files hold the hashes of the
// tokens' secrets, which the map never does.
type Book struct {
	cfg BookConfig

	mu sync.Mutex // held from reading a file to having changed map and file
}

// NewBook checks the configuration.
func NewBook(cfg BookConfig) (*Book, error) {
	switch {
	case cfg.Control == nil:
		return nil, errors.New("join: no control of the map")
	case cfg.Key == landfall.MapKey{}:
		return nil, errors.New("join: no map key")
	case cfg.Dir == nil:
		return nil, errors.New("join: no directory for invitations")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Book{cfg: cfg}, nil
}

// Invitation says who may join.
type Invitation struct {
	Node   landfall.NodeID
	Region landfall.RegionID
	Roles  []landfall.Role

	// Place makes the region where it is new; nil wants one that is there.
	Place *landfall.Place
	// Valid is how long the token can be used; 0 means DefaultValid.
	Valid time.Duration
	// Endpoints are where the new server reaches the control, HOST:PORT, best
	// first; none means the home region's nodes at their public addresses.
	Endpoints []string
	// Addresses are those that the server is to be found at; it can join with
	// no others. None has it find them out.
	Addresses []netip.Addr
	// Ceiling is how many requests a second the server can serve as an edge;
	// 0 means that of the network.
	Ceiling int
}

// Invite puts the node into the map, its region with it where that is new,
// and returns the token that it joins with. Inviting a node that has not
// joined yet replaces the invitation: the token before is void. Where it
// fails, that token and the map are as they were; a map that would have
// faults is a *mapsync.Faulty.
func (b *Book) Invite(ctx context.Context, inv Invitation) (Token, error) {
	inv.Addresses = plain(inv.Addresses)
	if err := inv.check(); err != nil {
		return Token{}, fmt.Errorf("invite %s: %w", inv.Node, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.cfg.Control.Change(ctx, func(m *landfall.Map) error {
		if _, there := m.Node(inv.Node); !there {
			// A file from an earlier life of the name must not outlive it.
			if err := b.forget(inv.Node); err != nil {
				return err
			}
		}
		if err := errors.Join(inv.checkEndpoints(m), inv.checkAddresses(m)); err != nil {
			return err
		}
		return inv.enter(m)
	})
	if err != nil {
		return Token{}, fmt.Errorf("invite %s: %w", inv.Node, err)
	}
	t := Token{
		Network:   m.Network,
		Node:      inv.Node,
		Key:       b.cfg.Key,
		Expires:   b.cfg.Now().Add(inv.valid()).UTC().Truncate(time.Second),
		Endpoints: inv.endpoints(m),
		Addresses: inv.Addresses,
		secret:    newSecret(),
	}
	if err := b.save(record{Node: t.Node, Key: t.secret.key(), Expires: t.Expires, Addresses: t.Addresses}); err != nil {
		return Token{}, fmt.Errorf("invite %s: it is in the map, but has no token: %w: invite it again", inv.Node, err)
	}
	b.cfg.Log.Info("node invited", "peer", inv.Node, "region", inv.Region, "serial", m.Serial, "expires", t.Expires, "addresses", t.Addresses)
	return t, nil
}

// Withdraw takes an invitation back: its token is void, and the node is no
// longer in the map. It fails for a node that has joined.
func (b *Book) Withdraw(ctx context.Context, node landfall.NodeID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.cfg.Control.Change(ctx, func(m *landfall.Map) error {
		n, ok := m.Node(node)
		switch {
		case !ok:
			return errors.New("the map does not have it")
		case n.State != landfall.Invited:
			return fmt.Errorf("it is %s: drain and remove it", n.EffectiveState())
		}
		m.Nodes = slices.DeleteFunc(m.Nodes, func(n landfall.Node) bool { return n.ID == node })
		return b.forget(node) // first: a node in the map without a token hurts nobody
	})
	if err != nil {
		return fmt.Errorf("withdraw the invitation of %s: %w", node, err)
	}
	b.cfg.Log.Info("invitation withdrawn", "peer", node)
	return nil
}

func (i Invitation) valid() time.Duration {
	if i.Valid == 0 {
		return DefaultValid
	}
	return i.Valid
}

// check judges what needs no map; the rest is for Map.Check.
func (i Invitation) check() error {
	switch {
	case !label(string(i.Node)):
		return fmt.Errorf("%q is no name for a node: want a short one of a-z, 0-9 and hyphens, such as nyc1", i.Node)
	case !label(string(i.Region)):
		return fmt.Errorf("%q is no name for a region: want a short one of a-z, 0-9 and hyphens, such as nyc", i.Region)
	case len(i.Roles) == 0:
		return errors.New("say what it does, such as --roles edge,dns")
	case i.Place != nil && !i.Place.Valid():
		return fmt.Errorf("place %v is not on the Earth: latitude goes from -90 to 90, longitude from -180 to 180", *i.Place)
	case i.Valid < 0 || i.Valid > MaxValid:
		return fmt.Errorf("a token cannot stand for %v: want up to %v", i.Valid, MaxValid)
	case i.Valid != 0 && i.Valid < time.Minute:
		return fmt.Errorf("a token that stands for %v is over before it is typed: want a minute at least", i.Valid)
	case len(i.Endpoints) > maxEndpoints:
		return fmt.Errorf("%d endpoints are more than %d", len(i.Endpoints), maxEndpoints)
	case len(i.Addresses) > maxAddresses:
		return fmt.Errorf("%d addresses are more than %d", len(i.Addresses), maxAddresses)
	}
	for _, a := range i.Addresses {
		if classOf(a) == nowhere {
			return fmt.Errorf("%v is no address at which others find a server: want one such as 203.0.113.7", a)
		}
	}
	for _, r := range i.Roles {
		if !slices.Contains(landfall.Roles(), r) {
			return fmt.Errorf("role %q is unknown: want origin, edge or dns", r)
		}
	}
	return nil
}

// enter puts the invited node into the map.
func (i Invitation) enter(m *landfall.Map) error {
	at := slices.IndexFunc(m.Nodes, func(n landfall.Node) bool { return n.ID == i.Node })
	if at >= 0 && m.Nodes[at].State != landfall.Invited {
		return fmt.Errorf("the name is taken: node %s is %s: choose another name, or drain and remove that node first", i.Node, m.Nodes[at].EffectiveState())
	}
	if err := i.enterRegion(m); err != nil {
		return err
	}
	n := landfall.Node{ID: i.Node, Region: i.Region, Roles: slices.Clone(i.Roles), State: landfall.Invited, Ceiling: i.Ceiling}
	if at >= 0 {
		m.Nodes[at] = n
	} else {
		m.Nodes = append(m.Nodes, n)
	}
	return nil
}

func (i Invitation) enterRegion(m *landfall.Map) error {
	r, ok := m.Region(i.Region)
	switch {
	case ok && i.Place != nil && *i.Place != r.Place:
		return fmt.Errorf("region %s is at %v in the map, not at %v: leave --place out, or change the region in network.toml", i.Region, r.Place, *i.Place)
	case ok:
		return nil
	case i.Place == nil:
		return fmt.Errorf("region %s is not in the map yet: say where it is, such as --place 40.71,-74.01", i.Region)
	}
	m.Regions = append(m.Regions, landfall.Region{ID: i.Region, Place: *i.Place})
	return nil
}

// endpoints are where the token says that the control is.
func (i Invitation) endpoints(m *landfall.Map) (out []string) {
	if len(i.Endpoints) > 0 {
		return i.Endpoints
	}
	port := strconv.Itoa(int(m.Ports.EffectiveHTTPS()))
	for _, n := range m.Origins() {
		for _, a := range n.Advertised {
			out = append(out, net.JoinHostPort(a.String(), port))
		}
	}
	return out[:min(len(out), maxEndpoints)]
}

// checkAddresses finds out at home what would fail at the new server.
func (i Invitation) checkAddresses(m *landfall.Map) error {
	for _, n := range m.Nodes {
		for _, a := range i.Addresses {
			if n.ID != i.Node && slices.Contains(n.Advertised, a) {
				return fmt.Errorf("address %v is that of node %s", a, n.ID)
			}
		}
	}
	return nil
}

func (i Invitation) checkEndpoints(m *landfall.Map) error {
	all := i.endpoints(m)
	if len(all) == 0 {
		return errors.New("the map has no public address of the home region: say where the new server reaches it, HOST:PORT")
	}
	for _, e := range all {
		if err := checkEndpoint(e); err != nil {
			return err
		}
	}
	return nil
}
