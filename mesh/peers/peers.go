package peers

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"

	"landfall"
)

// Peer is one node as its neighbour's WireGuard device needs it.
type Peer struct {
	Node      landfall.NodeID
	Key       landfall.PublicKey
	Addr      netip.Addr       // its address inside the mesh, the only one it may send from
	Endpoints []netip.AddrPort // where to send datagrams, best first; may be empty
	// Initiate says that we start the handshakes with it. Exactly one side
	// of each pair does: two WireGuard peers that initiate within one round
	// trip of each other both wait out a retry of five seconds.
	Initiate bool
	Draining bool // it is about to leave: it relays where nothing else can
}

// Of lists the peers of node self, whose key is key, by name. Nodes that are
// gone, have no key, or carry our own key are nobody's peers, and a node that
// is gone itself has none.
func Of(m *landfall.Map, self landfall.NodeID, key landfall.PublicKey) []Peer {
	if me, ok := m.Node(self); ok && me.State == landfall.Gone {
		return nil
	}
	var out []Peer
	seen := map[landfall.PublicKey]bool{key: true}
	for _, n := range m.Nodes {
		if n.ID == self || !n.Joined() || n.Key.IsZero() || seen[n.Key] {
			continue
		}
		seen[n.Key] = true
		out = append(out, Peer{
			Node:      n.ID,
			Key:       n.Key,
			Addr:      addr(m, n),
			Endpoints: slices.Clone(n.Endpoints),
			Initiate:  bytes.Compare(key[:], n.Key[:]) < 0,
			Draining:  n.State == landfall.Draining,
		})
	}
	slices.SortFunc(out, func(a, b Peer) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

func addr(m *landfall.Map, n landfall.Node) netip.Addr {
	if n.Mesh.IsValid() {
		return n.Mesh
	}
	return landfall.MeshAddr(m.Network, n.ID)
}

// Changes are what it takes to get from one list of peers to another. Peers
// in none of the three lists stay exactly as they are.
type Changes struct {
	Removed []Peer // as they were
	Added   []Peer
	Changed []Peer // as they are now; the key is the same
}

// Diff compares two lists. A peer is its key: a node with a new key is one
// peer removed and another added.
func Diff(old, new []Peer) Changes {
	var c Changes
	was, is := byKey(old), byKey(new)
	for _, p := range old {
		if _, stays := is[p.Key]; !stays {
			c.Removed = append(c.Removed, p)
		}
	}
	for _, p := range new {
		switch before, known := was[p.Key]; {
		case !known:
			c.Added = append(c.Added, p)
		case !before.equal(p):
			c.Changed = append(c.Changed, p)
		}
	}
	return c
}

func byKey(list []Peer) map[landfall.PublicKey]Peer {
	m := make(map[landfall.PublicKey]Peer, len(list))
	for _, p := range list {
		m[p.Key] = p
	}
	return m
}

func (p Peer) equal(q Peer) bool {
	return p.Node == q.Node && p.Key == q.Key && p.Addr == q.Addr && p.Initiate == q.Initiate && p.Draining == q.Draining &&
		slices.Equal(p.Endpoints, q.Endpoints)
}
