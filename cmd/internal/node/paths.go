package node

import (
	"context"
	"net"

	"landfall/cmd/internal/admin"
	"landfall/mesh"
)

// buildMesh makes the node's part of the mesh.
func (n *Node) buildMesh() (err error) {
	if n.mesh, err = mesh.New(mesh.Config{
		Self: n.cfg.Self, Network: n.cfg.Bootstrap.Network, Key: n.cfg.State.Key, Conns: []net.PacketConn{n.cfg.Sockets.WireGuard},
		Front: n.cfg.Front, Rate: n.cfg.Rate, NoRelay: n.cfg.NoRelay, NoWarm: n.cfg.NoWarm, Allow: n.cfg.Allow, Log: n.cfg.Log,
	}); err != nil {
		return err
	}
	n.mesh.SetMap(n.cfg.Bootstrap) // so that the first question for a map finds its way
	n.admin.Register("mesh", func() any { return n.mesh.Stats() })
	n.admin.Register("mesh_device", func() any { return n.mesh.DeviceStats() })
	n.admin.Register("mesh_fragments", func() any { return n.mesh.FragmentStats() })
	n.admin.Register("mesh_warm", func() any { return n.mesh.WarmStats() })
	n.admin.Register("mesh_door", func() any { return n.mesh.DoorStats() })
	n.admin.Register("mesh_front", func() any { return n.mesh.FrontStats() })
	n.admin.Register("mesh_socket", func() any { return n.mesh.SocketStats() })
	return nil
}

// paths are the node's ways to its peers, as status tells them.
func (n *Node) paths() (out []admin.Path) {
	for _, p := range n.mesh.Paths() {
		one := admin.Path{
			Peer: p.Peer, Endpoint: p.Way.String(), Via: p.Way.Via, Why: p.Why,
			RTT: admin.Milliseconds(p.RTT), Jitter: admin.Milliseconds(p.Jitter), Loss: p.Loss, MTU: p.MTU,
			Doubt: p.Doubt, Switches: p.Switches, Alive: p.Alive,
		}
		if p.Backup.IsValid() {
			one.Backup = p.Backup.String()
		}
		for _, w := range p.Ways {
			one.Ways = append(one.Ways, admin.Way{
				Way: w.Way.String(), State: w.Life.String(), RTT: admin.Milliseconds(w.RTT),
				Jitter: admin.Milliseconds(w.Jitter), Loss: w.Loss, MTU: w.MTU, Why: w.Why,
			})
		}
		out = append(out, one)
	}
	return out
}

// meshStatus is how the node stands in the mesh; nil while that is not up.
func (n *Node) meshStatus() *admin.Mesh {
	f, up := n.mesh.Front()
	if !up {
		return nil
	}
	d := n.mesh.DeviceStats()
	refused, last := n.mesh.Refused()
	h := n.mesh.FrontHealth()
	s := &admin.Mesh{
		Device: h.Device, Deaf: h.Deaf != nil, Mended: h.Mended, What: h.What, When: h.When,
		Allow: n.cfg.Allow, Refused: refused, LastRefused: last,
		Addr: n.mesh.Addr().String(), Front: f.Name, Why: f.Why,
		Relayed: d.RelayedBytes, Probed: d.ProbeBytes, Doubled: d.Doubled, Resent: d.Resent,
	}
	if h.Err != nil {
		s.Broken = h.Err.Error()
	}
	return s
}

// front examines what streams are made of, and tells how it stands.
func (n *Node) front(ctx context.Context) *admin.Mesh {
	n.mesh.Knock(ctx)
	return n.meshStatus()
}
