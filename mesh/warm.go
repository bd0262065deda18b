package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/warm"
)

// newPool makes what keeps connections ready. Only the kernel's TCP remembers
// a path while it is idle, so only there is something to be learned from
// padding.
func (m *Mesh) newPool(up *running) (err error) {
	if up.streams == nil {
		return nil
	}
	padding, allowance := -1, int64(-1)
	if up.front.Name == FrontTUN && !m.cfg.NoWarm {
		padding, allowance = 0, 0 // as the package has them
	}
	up.door = warm.NewDoor(warm.DoorConfig{Allowance: allowance, Rate: m.cfg.Rate, Sure: m.sureOf, Log: m.log})
	up.pool, err = warm.New(warm.Config{
		Open: func(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (front.Stream, error) {
			return m.connection(ctx, up.streams, t, first, sink)
		},
		Sure: m.sure, RTT: m.rtt, Padding: padding, Log: m.log,
	})
	return err
}

// rtt is the round trip to a node; 0 if it is unknown.
func (m *Mesh) rtt(id landfall.NodeID) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.table.Status(id, time.Now())
	return s.RTT
}

// sureOf reports whether the way to the node at an address is good.
func (m *Mesh) sureOf(addr netip.Addr) bool {
	id, known := (*m.names.Load())[addr]
	return known && m.sure(id)
}

// sure reports whether the way to a node is good.
func (m *Mesh) sure(id landfall.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	s, known := m.table.Status(id, now)
	p := m.peers[id]
	return known && p != nil && s.Alive && s.Doubt == "" && !p.sessionless(now)
}

// connection opens a connection of its own to a node whose way is known.
func (m *Mesh) connection(ctx context.Context, streams front.Streams, t landfall.Target, first []byte, sink landfall.Sink) (front.Stream, error) {
	port, err := portOf(t.Service)
	if err != nil {
		return nil, err
	}
	addr, life, key := m.addr, context.Background(), m.own.ours
	if t.Node != m.cfg.Self {
		if addr, life, key, err = m.reach(ctx, t.Node); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(life, func() { cancel(context.Cause(life)) })()
	s, err := openWith(ctx, streams, netip.AddrPortFrom(addr, port), t.Class, key, first, sink)
	switch {
	case err == nil:
		return s, nil
	case life.Err() != nil:
		return nil, context.Cause(life)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("peer %s does not serve %s: %w", t.Node, t.Service, err)
	}
	return nil, fmt.Errorf("peer %s answers, but the stream to its %s did not open: %w", t.Node, t.Service, err)
}

// openWith opens a stream that shows its pass, for which its port has to be
// known.
func openWith(ctx context.Context, streams front.Streams, to netip.AddrPort, c landfall.Class, key passKey, first []byte, sink landfall.Sink) (front.Stream, error) {
	s, err := streams.Open(ctx, to, c, nil, nil)
	if err != nil {
		return nil, err
	}
	b := append(key.pass(s.Local(), s.Remote()), first...)
	if n, err := s.Write(b); err != nil || n < len(b) {
		err = fmt.Errorf("first bytes: %d of %d fit: %w", n, len(b), cmp.Or(err, io.ErrShortWrite))
		s.Abort(err)
		return nil, err
	}
	s.Start(sink)
	return s, nil
}

// used notes what a stream is opened for, and has connections stand ready for
// the next one if that goes home and a user waits for it.
func (m *Mesh) used(up *running, t landfall.Target) {
	u := warm.Use{Node: t.Node, Service: t.Service, Class: t.Class}
	users := []landfall.MeshService{landfall.MeshHTTP, landfall.MeshTCP, landfall.MeshChat}
	m.mu.Lock()
	fresh := m.goesHome(t.Node) && slices.Contains(users, t.Service) && !slices.Contains(m.uses, u)
	if fresh {
		m.uses = append(m.uses, u)
	}
	m.mu.Unlock()
	if fresh {
		m.keep(up)
	}
}

// goesHome reports whether a node is a peer of ours in the home region.
func (m *Mesh) goesHome(id landfall.NodeID) bool {
	if m.current == nil || m.peers[id] == nil {
		return false
	}
	n, ok := m.current.Node(id)
	return ok && n.Has(landfall.RoleOrigin)
}

// keep says for what connections are to stand ready: edges forward requests
// home, and what has been opened there before is opened again.
func (m *Mesh) keep(up *running) {
	if up.pool == nil {
		return
	}
	m.keeping.Lock() // so that the last word is the newest
	defer m.keeping.Unlock()
	m.mu.Lock()
	m.uses = slices.DeleteFunc(m.uses, func(u warm.Use) bool { return !m.goesHome(u.Node) })
	keep := slices.Clone(m.uses)
	var self landfall.Node
	if m.current != nil {
		self, _ = m.current.Node(m.cfg.Self)
	}
	for _, p := range m.list {
		u := warm.Use{Node: p.Node, Service: landfall.MeshHTTP}
		if self.Has(landfall.RoleEdge) && m.goesHome(p.Node) && !slices.Contains(keep, u) {
			keep = append(keep, u)
		}
	}
	m.mu.Unlock()
	up.pool.Keep(keep)
}
