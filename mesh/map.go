package mesh

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/peers"
	"landfall/mesh/probe"
	"landfall/mesh/relay"
	"landfall/mesh/wg"
)

// peer is what the mesh knows about one, guarded by Mesh.mu.
type peer struct {
	peers.Peer
	keys   probe.Keys      // never changes
	relay  relay.Keys      // never changes
	window probe.Window    // of its pings
	pass   uint64          // what it wants to see in ours
	serial landfall.Serial // of the map that it says it goes by
	seen   map[path.Way]seen
	short  uint32   // its name in reports; never changes
	way    path.Way // in use, as last noted

	passes          // never change
	switches uint64 // to another way
	quota    quota  // of its pings
	reborn   bool   // it has restarted, perhaps with another clock
	session

	life    context.Context // ends, with the reason, when the peer is given up
	die     context.CancelCauseFunc
	changed chan struct{} // closed when it turns alive or dead
}

// SetMap changes the peers to those of the map. Sessions that the map says
// nothing new about are not disturbed.
func (m *Mesh) SetMap(next *landfall.Map) {
	if next.Network != m.cfg.Network {
		m.log.Error("map of another network refused", "serial", next.Serial, "err",
			fmt.Errorf("network %q, want %q", next.Network, m.cfg.Network))
		return
	}
	m.applying.Lock()
	defer m.applying.Unlock()
	now := time.Now()
	list := peers.Of(next, m.cfg.Self, m.key)

	m.mu.Lock()
	changes := peers.Diff(m.list, list)
	m.list, m.current = list, next
	up := m.up
	gone, fresh := m.change(changes, now)
	m.rename()
	m.mu.Unlock()

	if up != nil {
		m.rewire(up, gone, fresh)
	}
}

// change makes the peers others, and tells which the device has to forget and
// to learn. All who leave do so before anybody comes: names and addresses may
// move from one to the next.
func (m *Mesh) change(changes peers.Changes, now time.Time) (gone, fresh []*peer) {
	come := slices.Clone(changes.Added)
	for _, c := range changes.Removed {
		gone = append(gone, m.drop(c))
	}
	for _, c := range changes.Changed {
		if p := m.peers[c.Node]; p != nil && p.Addr == c.Addr && p.Key == c.Key {
			p.Peer = c
			m.name(c, now)
			continue
		}
		gone, come = append(gone, m.drop(c)), append(come, c)
	}
	for _, c := range come {
		fresh = append(fresh, m.admit(c, now))
	}
	return gone, fresh
}

// name tells the path table what the map says of a peer.
func (m *Mesh) name(c peers.Peer, now time.Time) {
	m.note(m.table.SetPeer(c.Node, c.Endpoints, now))
	m.table.Drain(c.Node, c.Draining, now)
}

// rewire tells the device who left and who came.
func (m *Mesh) rewire(up *running, gone, fresh []*peer) {
	for _, p := range gone {
		if p == nil {
			continue
		}
		up.dev.RemovePeer(p.Node)
		if up.streams != nil {
			up.streams.End(p.Addr, faultf("peer %s was removed from the map", p.Node))
		}
		m.log.Info("peer removed", "peer", p.Node)
	}
	for _, p := range fresh {
		if p != nil {
			m.connect(up.dev, p)
		}
	}
	m.keep(up)
	m.look()
}

// connect gives the device a peer. The caller holds applying.
func (m *Mesh) connect(dev *wg.Device, p *peer) {
	if err := dev.AddPeer(wg.Peer{
		Node: p.Node, Key: p.Key, Addr: p.Addr, Initiate: p.Initiate,
		Name: relay.NameOf(m.cfg.Network, p.Key), Relay: p.relay, Forward: !m.cfg.NoRelay,
	}); err != nil {
		m.log.Error("peer refused", "peer", p.Node, "err", err)
		return
	}
	m.mu.Lock()
	route := m.route(p.Node)
	dev.Use(p.Node, route)
	first := p.Initiate && route.Primary.IsValid()
	if first {
		p.began, p.tries = time.Now(), 0
	}
	m.mu.Unlock()
	if first {
		dev.Initiate(p.Node)
	}
}

// route is the way to a peer now.
func (m *Mesh) route(id landfall.NodeID) path.Route {
	s, _ := m.table.Status(id, time.Now())
	return s.Route
}

// admit makes a peer known; nil if its key is of no use.
func (m *Mesh) admit(c peers.Peer, now time.Time) *peer {
	p := &peer{Peer: c, window: m.newWindow(), short: probe.ShortOf(m.cfg.Network, c.Key), changed: make(chan struct{})}
	secret, err := m.cfg.Key.Shared(c.Key)
	if err == nil {
		p.keys, err = probe.NewKeys(secret, m.key, c.Key)
	}
	if err == nil {
		p.passes, err = newPasses(secret, m.key, c.Key)
	}
	if err == nil {
		p.relay, err = relay.NewKeys(secret, m.key, c.Key)
	}
	if err != nil {
		m.log.Error("peer refused", "peer", c.Node, "err", err)
		return nil
	}
	p.life, p.die = context.WithCancelCause(context.Background())
	m.peers[c.Node], m.probes[p.keys.From] = p, p
	m.name(c, now)
	return p
}

// drop forgets a peer; nil if it was never admitted.
func (m *Mesh) drop(c peers.Peer) *peer {
	for _, p := range m.peers {
		if p.Key == c.Key {
			delete(m.peers, p.Node)
			delete(m.probes, p.keys.From)
			m.table.RemovePeer(p.Node)
			p.die(faultf("peer %s was removed from the map", p.Node))
			close(p.changed)
			return p
		}
	}
	return nil
}

// rename rebuilds what PeerOf reads, and what nodes are called in reports: a
// name that two of them share means neither.
func (m *Mesh) rename() {
	names := map[netip.Addr]landfall.NodeID{m.addr: m.cfg.Self}
	m.shorts = make(map[uint32]*peer, len(m.peers))
	for _, p := range m.peers {
		names[p.Addr] = p.Node
		if _, taken := m.shorts[p.short]; taken {
			m.shorts[p.short] = nil
			continue
		}
		m.shorts[p.short] = p
	}
	m.names.Store(&names)
}

// newWindow makes one with a pass that nobody can know, but that it is ours.
func (m *Mesh) newWindow() probe.Window {
	return probe.NewWindow(uint64(m.boot)<<32 | uint64(random()))
}

func random() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.NativeEndian.Uint32(b[:])
}
