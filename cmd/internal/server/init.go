package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/node"
)

// Founding is what a network begins with.
type Founding struct {
	Dir  string // the state directory; what is there must be empty
	File string // the network.toml to write; must not be there with other content

	// Map is what is declared: name, domain, the home region, services, ACME.
	Map       *landfall.Map
	Node      landfall.NodeID // the first node, in the home region
	Roles     []landfall.Role
	Addresses []netip.Addr // that users reach it by; empty: found out
	WireGuard uint16
	Geo       string
	Front     string // of the mesh; see config.LocalMesh

	Log *slog.Logger
}

// Init founds a network and returns its first map. Killed at any moment, it
// leaves what was there before or the whole network, and can be called again.
func Init(ctx context.Context, f Founding) (*landfall.Map, error) {
	if err := errors.Join(f.vacant(), checkGeo(f.Geo)); err != nil {
		return nil, err
	}
	advertised, bound, err := settle(f.Addresses, outward())
	if err != nil {
		return nil, err
	}
	// Before anything is written: is it a network at all?
	draft := f.Map.Clone()
	draft.Nodes = []landfall.Node{{ID: f.Node, Roles: f.Roles, Advertised: advertised, Bound: bound}}
	home, _ := draft.Home()
	draft.Nodes[0].Region = home.ID
	if faults := draft.Check(); len(faults) > 0 {
		var errs []error
		for _, fault := range faults {
			errs = append(errs, fault)
		}
		return nil, errors.Join(errs...)
	}
	var m *landfall.Map
	err = f.inWorkshop(func(dir string) (err error) {
		m, err = f.build(ctx, dir, draft)
		return err
	})
	return m, err
}

// vacant makes sure that nothing is in the way.
func (f Founding) vacant() error {
	if l, err := ReadLocal(f.Dir); err == nil {
		return fmt.Errorf("%s is already node %s of the network %s: choose another directory with --dir", f.Dir, l.Node, l.Network)
	}
	entries, err := os.ReadDir(f.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state directory: %w", err)
	}
	if i := slices.IndexFunc(entries, func(e os.DirEntry) bool {
		return !slices.Contains([]string{"lock", "node.key", "sealing.key"}, e.Name())
	}); i < 0 && len(entries) > 0 {
		return fmt.Errorf("state directory %s holds the keys of a join that did not come to its end: rm -r what is in it, or choose another with --dir", f.Dir)
	}
	if len(entries) > 0 {
		return fmt.Errorf("state directory %s is not empty (it has %s): choose another with --dir", f.Dir, entries[0].Name())
	}
	b, err := os.ReadFile(f.File)
	if err == nil && string(b) != config.Write(f.Map, true) {
		return fmt.Errorf("%s is already there: move it away, or work in another directory", f.File)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// build makes keys, authority and first map in a directory, and node.toml
// last.
func (f Founding) build(ctx context.Context, dir string, draft *landfall.Map) (*landfall.Map, error) {
	keys, err := node.MakeKeys(dir)
	if err != nil {
		return nil, err
	}
	n := &draft.Nodes[0]
	n.Key, n.Sealing, n.Mesh = keys.Key.Public(), keys.Sealing, landfall.MeshAddr(draft.Network, n.ID)
	for _, a := range n.Advertised {
		n.Endpoints = append(n.Endpoints, netip.AddrPortFrom(a, f.WireGuard))
	}
	m, key, err := node.Found(ctx, dir, n.ID, draft, f.Log)
	if err != nil {
		return nil, err
	}
	return m, writeLocal(dir, config.Local{Network: draft.Network, Node: n.ID, MapKey: key, WireGuard: f.WireGuard, Geo: f.Geo, Mesh: config.LocalMesh{Front: f.Front}})
}

// DelegationLines are what the parent zone has to say, so that resolvers find
// the network's name servers (RFC 1034, 4.2.1).
func DelegationLines(m *landfall.Map) string {
	var b strings.Builder
	for n := range m.Having(landfall.RoleDNS) {
		b.WriteString(DelegationOf(m.Domain, n))
	}
	return b.String()
}

// DelegationOf are the lines for one name server: who it is, and where.
func DelegationOf(domain string, n landfall.Node) string {
	name := fmt.Sprintf("%s.ns.%s.", n.ID, domain)
	var lines strings.Builder
	lines.WriteString(fmt.Sprintf("%s. NS %s\n", domain, name))
	for _, a := range n.Advertised {
		kind := "A"
		if a.Is6() {
			kind = "AAAA"
		}
		lines.WriteString(fmt.Sprintf("%s %s %v\n", name, kind, a))
	}
	return lines.String()
}
