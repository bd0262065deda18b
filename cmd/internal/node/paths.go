package node

import "landfall/cmd/internal/admin"

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
	return &admin.Mesh{
		Addr: n.mesh.Addr().String(), Front: f.Name, Why: f.Why,
		Relayed: d.RelayedBytes, Doubled: d.Doubled, Resent: d.Resent,
	}
}
