package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/mesh"
)

// How long a node may take to tell its status, and one that answers no probes,
// which is hardly more than a hope.
const (
	askTimeout  = 2 * time.Second
	hopeTimeout = 500 * time.Millisecond
)

// maxStatus bounds what it may tell.
const maxStatus = 1 << 20

// Status is what the node knows of itself.
func (n *Node) Status() admin.Status {
	m := n.Map()
	self, _ := m.Node(n.cfg.Self)
	s := admin.Status{
		Node: n.cfg.Self, Region: self.Region, Roles: self.Roles, State: self.EffectiveState(), Network: m.Network, Version: n.cfg.Version,
		Serial: landfall.Serial(n.applied.Load()), Started: n.started, Clock: time.Now(), Waiting: n.waiting(m),
	}
	s.Paths, s.Mesh = n.paths(), n.meshStatus()
	if n.isEdge() {
		s.Certificates = n.certificates(m)
	}
	if h := n.cfg.Home; h != nil {
		s.Keys = h.zoneKeys.keeper.Status(time.Now())
	}
	if n.isDNS() {
		s.DNS = n.dns.Status()
		for e := range m.Having(landfall.RoleEdge) {
			if n.dns.edgeDown(e.ID) {
				s.Down = append(s.Down, e.ID)
			} else {
				s.Up = append(s.Up, e.ID)
			}
		}
	}
	return s
}

// certificates are those that the edge shows for the services of a map.
func (n *Node) certificates(m *landfall.Map) (out []admin.Certificate) {
	for _, s := range m.Services {
		c, err := n.source.Certificate(context.Background(), s.Host)
		if err != nil {
			out = append(out, admin.Certificate{Hosts: []string{s.Host}, Error: err.Error()})
			continue
		}
		one := admin.Certificate{
			Hosts: c.Leaf.DNSNames, Issuer: c.Leaf.Issuer.CommonName, From: c.Leaf.NotBefore, Until: c.Leaf.NotAfter,
			Serial: fmt.Sprintf("%x", c.Leaf.SerialNumber),
		}
		if !slices.ContainsFunc(out, func(o admin.Certificate) bool { return o.Serial == one.Serial }) {
			out = append(out, one)
		}
	}
	return out
}

// waiting tells what keeps the node from serving.
func (n *Node) waiting(m *landfall.Map) (out []string) {
	if n.cfg.Trouble != nil {
		out = append(out, strings.Split(n.cfg.Trouble.Error(), "\n")...)
	}
	if n.applied.Load() == 0 {
		return append(out, "a map")
	}
	if n.isEdge() && len(m.Services) > 0 {
		select {
		case <-n.source.Ready():
		default:
			out = append(out, "a certificate")
		}
	}
	if n.isDNS() {
		for _, zone := range n.dns.unsigned() {
			out = append(out, "keys of "+zone)
		}
	}
	if n.isEdge() {
		for port, open := range n.edge.Stats().Ports {
			if open == 0 {
				out = append(out, "port "+port+", which something else has")
			}
		}
	}
	slices.Sort(out)
	return out
}

// Overview asks every node of the map for its status, all at once.
func (n *Node) Overview(ctx context.Context) admin.Overview {
	m := n.Map()
	home, _ := m.Home()
	o := admin.Overview{Network: m.Network, Domain: m.Domain, Serial: m.Serial, Home: home.ID}
	client := n.client(landfall.MeshAdmin, 0)
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, peer := range m.Nodes {
		if !peer.Joined() {
			o.Nodes = append(o.Nodes, admin.Status{Node: peer.ID, Region: peer.Region, Roles: peer.Roles, State: peer.EffectiveState()})
			continue
		}
		asking.Go(func() {
			s := n.statusOf(ctx, client, peer)
			mu.Lock()
			defer mu.Unlock()
			o.Nodes = append(o.Nodes, s)
		})
	}
	asking.Wait()
	slices.SortFunc(o.Nodes, func(a, b admin.Status) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Node, b.Node))
	})
	return o
}

func (n *Node) statusOf(ctx context.Context, client *http.Client, peer landfall.Node) admin.Status {
	if peer.ID == n.cfg.Self {
		return n.Status()
	}
	patience := askTimeout
	if slices.ContainsFunc(n.mesh.Paths(), func(p mesh.Path) bool { return p.Peer == peer.ID && !p.Alive }) {
		patience = hopeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var s admin.Status
	if err := ask(ctx, client, peer.ID, "/status", maxStatus, &s); err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL, which is ours
		}
		s = admin.Status{Error: err.Error()}
		if errors.Is(err, context.DeadlineExceeded) {
			s.Error = fmt.Sprintf("no answer within %v", patience)
		}
	}
	admin.Clean(&s)
	// Who it is, the map says, not the peer.
	s.Node, s.Region, s.Roles, s.State = peer.ID, peer.Region, peer.Roles, peer.EffectiveState()
	return s
}
