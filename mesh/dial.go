package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/mesh/conn"
	"landfall/mesh/warm"
)

// dialTimeout bounds Dial and Open where neither context nor target does.
const dialTimeout = 10 * time.Second

// firstPort is the TCP port of the first of landfall.MeshServices.
const firstPort = 1000

// portOf is the port that a service listens on, inside the mesh.
func portOf(s landfall.MeshService) (uint16, error) {
	i := slices.Index(landfall.MeshServices(), s)
	if i < 0 {
		return 0, fmt.Errorf("mesh service %q is unknown (want one of %v)", s, landfall.MeshServices())
	}
	return firstPort + uint16(i), nil
}

// Dial is Open as a net.Conn.
func (m *Mesh) Dial(ctx context.Context, t landfall.Target) (net.Conn, error) {
	return wrap(func(sink landfall.Sink) (warm.Stream, error) { return m.open(ctx, t, nil, sink) })
}

// Open opens a stream to a service on a node, which may be this one, and
// sends the first bytes. It returns at once where a connection stands ready,
// else when the node has accepted, a round trip later at least: an event loop
// leaves Open to a goroutine that ends with it, and keeps none for the stream. It gives up at the end of ctx, at the
// target's deadline, after ten seconds or when the peer is found dead,
// whichever comes first. The sink may hear of what arrives before Open has
// returned. Before Run it waits. Both directions travel in the target's class.
//
// What went wrong, here and in a stream that ends, is told by errors.Is: a
// node that is unknown, removed or does not answer is syscall.EHOSTUNREACH, a
// service that nobody offers there ECONNREFUSED, a stream that the peer reset
// ECONNRESET, one that the network lost ETIMEDOUT, and net.ErrClosed is this
// node's own end. Those of time are net.Errors whose Timeout is true.
func (m *Mesh) Open(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (landfall.Stream, error) {
	s, err := m.open(ctx, t, first, sink)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// wrap makes a net.Conn of a stream of the mesh.
func wrap(open func(landfall.Sink) (warm.Stream, error)) (net.Conn, error) {
	return conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
		s, err := open(sink)
		if err != nil {
			return nil, nil, nil, err
		}
		return s, net.TCPAddrFromAddrPort(s.Local()), net.TCPAddrFromAddrPort(s.Remote()), nil
	})
}

func (m *Mesh) open(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (warm.Stream, error) {
	if _, err := portOf(t.Service); err != nil {
		return nil, err
	}
	if !t.Deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, t.Deadline)
		defer stop()
	}
	ctx, stop := context.WithTimeout(ctx, dialTimeout)
	defer stop()
	s, err := m.tryOpen(ctx, t, first, sink)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count.opened++
	if err != nil {
		m.count.openFailed++
		m.doubtFront(m.up, err)
	}
	return s, err
}

func (m *Mesh) tryOpen(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (warm.Stream, error) {
	up, err := m.await(ctx)
	if err != nil {
		return nil, fmt.Errorf("mesh to %s: %w", t.Node, err)
	}
	s, err := up.pool.Open(ctx, t, first, sink)
	if err != nil {
		return nil, err
	}
	m.used(up, t)
	return s, nil
}

// await waits for Run to have brought the front up.
func (m *Mesh) await(ctx context.Context) (*running, error) {
	select {
	case <-m.ready:
	case <-m.ended:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("the mesh is not running: %w", context.Cause(ctx))
	}
	switch up := m.now(); {
	case up == nil:
		return nil, net.ErrClosed
	case up.pool == nil:
		return nil, errNoStreams
	default:
		return up, nil
	}
}

// errNoStreams is Open without a front that has any.
var errNoStreams = fmt.Errorf("the front carries packets, but no streams: %w", errors.ErrUnsupported)

// reach waits until the peer is known to be alive or dead. The context it
// returns ends when the peer is given up again; with the key are made the passes
// that streams to it begin with.
func (m *Mesh) reach(ctx context.Context, id landfall.NodeID) (addr netip.Addr, life context.Context, key passKey, err error) {
	for {
		m.mu.Lock()
		p := m.peers[id]
		if p == nil {
			defer m.mu.Unlock()
			return addr, nil, key, m.stranger(id)
		}
		s, _ := m.table.Status(id, time.Now())
		changed, silence := p.changed, m.unreachable(p)
		addr, life, key = p.Addr, p.life, p.ours
		m.mu.Unlock()
		switch {
		case s.Alive:
			return addr, life, key, nil
		case s.Known:
			return addr, nil, key, silence
		}
		select {
		case <-changed:
		case <-m.ended:
			return addr, nil, key, fmt.Errorf("mesh to %s: %w", id, net.ErrClosed)
		case <-ctx.Done():
			return addr, nil, key, fmt.Errorf("%w: %w", silence, context.Cause(ctx))
		}
	}
}

// stranger says why a node is not our peer.
func (m *Mesh) stranger(id landfall.NodeID) error {
	if m.current == nil {
		return faultf("node %s is unknown: there is no map yet", id)
	}
	n, ok := m.current.Node(id)
	switch {
	case !ok:
		return faultf("node %s is unknown to map serial %d", id, m.current.Serial)
	case n.State == landfall.Invited:
		return faultf("node %s is invited but has not joined yet (map serial %d): run `landfall join` there", id, m.current.Serial)
	case n.State == landfall.Gone:
		return faultf("node %s is gone in map serial %d", id, m.current.Serial)
	case n.Key.IsZero():
		return faultf("node %s has no WireGuard key in map serial %d", id, m.current.Serial)
	}
	return faultf("node %s is no peer of %s in map serial %d", id, m.cfg.Self, m.current.Serial)
}
