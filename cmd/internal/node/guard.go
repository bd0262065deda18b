package node

import (
	"container/list"
	"log/slog"
	"maps"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/edge/room"
	"landfall/edge/tunnel"
)

// What one peer may have open, however stolen it is.
const (
	controlConns = 32  // to a service of control: honest nodes have a few
	silentConns  = 256 // to one service, that have said nothing: edges hold 8 ready, and dial 128 at once
)

// guests are the roles that a node must have one of to reach a service; every
// node may reach those that are not named.
func guests(name landfall.MeshService) []landfall.Role {
	switch name {
	case landfall.MeshHTTP, landfall.MeshChat, landfall.MeshCerts, landfall.MeshTCP, landfall.MeshSamples:
		return []landfall.Role{landfall.RoleEdge}
	case landfall.MeshProbes, landfall.MeshACME:
		return []landfall.Role{landfall.RoleDNS}
	}
	return nil
}

// carries tells the services that carry what clients of edges ask, as many as
// there are, from those of control.
func carries(name landfall.MeshService) bool {
	return slices.Contains([]landfall.MeshService{landfall.MeshHTTP, landfall.MeshChat, landfall.MeshTCP}, name)
}

// doorman turns away nodes that have no business with a service, for what
// edges say of their clients is believed, and those that have too much of it.
//
//	accept -> role? place? -> silent -----> the service
//	            |      |        |   first octet
//	            v      v        v
//	          turned away     shed: too many of its peer, or for too long
//
// All services that carry share their places, so that no peer has more than
// are still free; those of control have a fixed number for each peer.
type doorman struct {
	admit   func(landfall.MeshService, string) (landfall.NodeID, bool)
	log     *slog.Logger
	carried room.Shares[landfall.NodeID]
	seldom  room.Seldom

	mu           sync.Mutex // guards what follows
	open         map[string]int64
	turned, shed map[string]uint64
}

func (n *Node) newDoorman() *doorman {
	return &doorman{
		admit: n.admit, log: n.log, carried: room.Shares[landfall.NodeID]{All: room.Here().Peers},
		open: make(map[string]int64), turned: make(map[string]uint64), shed: make(map[string]uint64),
	}
}

// admit says who a peer is, and whether it may reach a service.
func (n *Node) admit(name landfall.MeshService, remote string) (landfall.NodeID, bool) {
	id, ok := n.mesh.PeerOf(remote)
	roles := guests(name)
	if roles == nil {
		return id, true
	}
	peer, known := n.Map().Node(id)
	return id, ok && known && slices.ContainsFunc(roles, peer.Has)
}

// keep runs serve on those of a listener's connections that are let in and
// have begun to speak. It returns when none of the others is left.
func (d *doorman) keep(name landfall.MeshService, l net.Listener, serve func(net.Listener) error) error {
	g := &guarded{
		Listener: l, doorman: d, service: name, in: make(chan net.Conn), done: make(chan struct{}),
		silent: make(map[landfall.NodeID]*list.List), places: &d.carried,
	}
	if !carries(name) {
		g.places = &room.Shares[landfall.NodeID]{All: math.MaxInt32, Each: controlConns}
	}
	var waiting sync.WaitGroup
	waiting.Go(func() { g.receive(&waiting) })
	err := serve(g)
	g.Close()
	waiting.Wait()
	return err
}

// reject counts a connection that is not let in.
func (d *doorman) reject(name landfall.MeshService, id landfall.NodeID, c net.Conn, why string) {
	d.count(d.turned, name)
	if times := d.seldom.Count(time.Now()); times > 0 {
		d.log.Warn("peer turned away", "peer", id, "remote", c.RemoteAddr(), "service", name, "why", why, "times", times)
	}
	tunnel.Abort(c) // a close in order would keep it until the peer closes as well
}

func (d *doorman) count(m map[string]uint64, name landfall.MeshService) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m[string(name)]++
}

func (d *doorman) add(name landfall.MeshService, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[string(name)] += n
}

// serviceStats are the counts of a doorman.
type serviceStats struct {
	Open   map[string]int64  `metric:"connections_open" label:"service" help:"Connections of peers, silent ones among them."`
	Turned map[string]uint64 `metric:"connections_refused_total" label:"service" help:"Connections closed at once: their peer has no business with the service, or too many of them."`
	Shed   map[string]uint64 `metric:"connections_shed_total" label:"service" help:"Connections closed because their peer had too many on which it had said nothing."`
}

// Stats returns the counts so far.
func (d *doorman) Stats() serviceStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return serviceStats{maps.Clone(d.open), maps.Clone(d.turned), maps.Clone(d.shed)}
}
