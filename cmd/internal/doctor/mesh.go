package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
)

// lossWarn is the share of lost packets from which a path is told: a single
// one, lost a moment ago, weighs a sixteenth.
const lossWarn = 0.08

// mesh judges the paths to the other nodes.
func (p *patient) mesh(_ context.Context, n *notes) {
	if p.Overview != nil {
		n.list = append(n.list, judgeMesh(p.Map, p.Self, p.overview)...)
	}
}

func judgeMesh(m *landfall.Map, self landfall.NodeID, o admin.Overview) []Finding {
	n := notes{check: "mesh"}
	paths := map[landfall.NodeID]admin.Path{}
	var front *admin.Mesh
	errs := map[landfall.NodeID]string{}
	for _, s := range o.Nodes {
		errs[s.Node] = s.Error
		if s.Node != self {
			continue
		}
		front = s.Mesh
		for _, path := range s.Paths {
			paths[path.Peer] = path
		}
	}
	for _, peer := range m.Nodes {
		if peer.ID == self || !peer.Joined() {
			continue
		}
		path, known := paths[peer.ID]
		switch {
		case !known || !path.Alive:
			n.fail(openWireGuard(m, self, peer), "no WireGuard path to %s is alive", peer.ID)
		case errs[peer.ID] != "":
			n.fail(openStreams(peer.ID, path), "%s is reached over the mesh, but does not tell its status: %v", peer.ID, said(errs[peer.ID]))
		case path.Loss >= lossWarn:
			n.warn("mtr "+host(direct(path)), "the path to %s loses %.0f %% of what is sent (%s, %v)", peer.ID, 100*path.Loss, path.Endpoint, time.Duration(path.RTT).Round(time.Millisecond/10))
		case path.Via != "":
			n.ok("%s is %v away by way of %s: %s", peer.ID, time.Duration(path.RTT).Round(time.Millisecond/10), path.Via, path.Why)
		default:
			n.ok("%s is %v away by %s", peer.ID, time.Duration(path.RTT).Round(time.Millisecond/10), path.Endpoint)
		}
		judgeWays(&n, m, self, peer, path)
	}
	if front != nil {
		judgeFront(&n, front)
	}
	return n.list
}

// judgeFront tells what streams are made of, and what that means for what
// listens on this server.
func judgeFront(n *notes, f *admin.Mesh) {
	if f.Why != "" {
		n.ok("streams of the mesh are made in the program, not by the kernel: %s", f.Why)
	}
	if f.Front != "tun" {
		return
	}
	switch {
	case slices.Contains(f.Allow, "all"):
		n.ok("the nodes of the network reach whatever listens on this server's address in the mesh: allow has \"all\" in node.toml")
	case f.Refused > 0:
		n.ok("%d packets of other nodes were for what they may not reach here, the last %s: allow under [mesh] in node.toml lists what they may", f.Refused, f.LastRefused)
	}
	n.ok("who is on a network of this server's own can send it packets in a node's name, to what listens on all addresses, if its firewall lets that in: nft add rule inet filter input iifname != \"lf-*\" iifname != \"lo\" ip6 saddr %v drop", landfall.MeshPrefix())
}

// judgeWays judges the ways to a peer beside the one in use.
func judgeWays(n *notes, m *landfall.Map, self landfall.NodeID, peer landfall.Node, path admin.Path) {
	anyDirect := false
	for _, w := range path.Ways {
		if w.State == "mute" {
			n.warn("mtr --udp "+host(w.Way), "%s answers probes by %s, but nothing else that is sent there arrives: something on the way lets small packets through alone, or a few", peer.ID, w.Way)
		}
		anyDirect = anyDirect || !strings.HasPrefix(w.Way, "via ") && (w.State == "alive" || w.State == "suspect")
	}
	if path.Alive && path.Via != "" && !anyDirect {
		relayedAlone(n, m, self, peer, path.Via)
	}
}

// relayedAlone tells of a peer that nothing reaches but by way of another.
func relayedAlone(n *notes, m *landfall.Map, self landfall.NodeID, peer landfall.Node, via landfall.NodeID) {
	own, _ := m.Node(self)
	if behindNAT(own) && behindNAT(peer) && len(peer.Endpoints) > 0 {
		n.warn(fmt.Sprintf("leave it, or have the NAT before %s forward UDP %d to it, or that before %s", peer.ID, peer.Endpoints[0].Port(), own.ID),
			"%s is reached by way of %s alone: it is behind NAT, and so is this server", peer.ID, via)
		return
	}
	n.warn(openWireGuard(m, self, peer), "%s is reached by way of %s alone: no direct way is alive", peer.ID, via)
}

// behindNAT reports whether a node has other addresses than users know.
func behindNAT(n landfall.Node) bool {
	return slices.ContainsFunc(n.Bound, func(a netip.Addr) bool { return !slices.Contains(n.Advertised, a) })
}

// openStreams is what to look at where probes pass, and streams do not.
func openStreams(id landfall.NodeID, path admin.Path) string {
	lines := []string{
		fmt.Sprintf("on %s: systemctl status landfall", id),
		fmt.Sprintf("on %s: landfall doctor, which says whether a firewall there drops what comes from the mesh", id),
	}
	if way := direct(path); !strings.HasPrefix(way, "via ") {
		lines = append(lines, "mtr --udp "+host(way)+": something on the way may let nothing but probes through")
	}
	return strings.Join(lines, "\n")
}

// direct is an address of the peer's, if one is known, and else the way there
// is.
func direct(p admin.Path) string {
	for _, w := range p.Ways {
		if p.Via != "" && !strings.HasPrefix(w.Way, "via ") {
			return w.Way
		}
	}
	return p.Endpoint
}

// openWireGuard is what a firewall has to let through for a path.
func openWireGuard(m *landfall.Map, self landfall.NodeID, peer landfall.Node) string {
	own, _ := m.Node(self)
	lines := []string{fmt.Sprintf("on %s: systemctl status landfall", peer.ID)}
	for _, n := range []landfall.Node{peer, own} {
		if len(n.Endpoints) > 0 {
			lines = append(lines, fmt.Sprintf("on %s: ufw allow %d/udp; let it through the firewall of the server's provider as well", n.ID, n.Endpoints[0].Port()))
		}
	}
	return strings.Join(lines, "\n")
}
