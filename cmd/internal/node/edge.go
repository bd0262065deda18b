package node

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"landfall"
	"landfall/certs"
	"landfall/edge"
	"landfall/mesh/join"
)

// buildEdge makes the part that ends TLS, and its certificates.
func (n *Node) buildEdge() error {
	dir, err := n.root("certs")
	if err != nil {
		return err
	}
	if n.source, err = certs.NewSource(certs.SourceConfig{
		Dir: dir, Network: n.cfg.Bootstrap.Network, Self: n.cfg.Self, Key: n.cfg.State.Secret, Dial: n.dialOrigin(landfall.MeshCerts), Log: n.cfg.Log,
	}); err != nil {
		return err
	}
	if n.edge, err = edge.New(edge.Config{
		Self: n.cfg.Self, Certificates: n.source, Dialer: n.mesh, Locator: n.atlas, Log: n.cfg.Log,
		Protocols: n.handovers(), Listen: n.listenPort,
	}); err != nil {
		return err
	}
	if n.redirect, err = edge.NewRedirect(edge.RedirectConfig{Self: n.cfg.Self, Health: n.edge.Health(), Log: n.cfg.Log}); err != nil {
		return err
	}
	n.admin.Register("redirect", func() any { return n.redirect.Stats() })
	n.admin.Register("certs", func() any { return n.source.Stats() })
	n.admin.Register("edge", func() any { return n.edge.Stats() })
	return nil
}

// handovers are the protocols that the edge leaves to others: at home, the
// one that new nodes join by.
func (n *Node) handovers() map[string]edge.Handover {
	h := n.cfg.Home
	if h == nil {
		return nil
	}
	return map[string]edge.Handover{join.ALPN: {TLS: h.joins.TLS(), Serve: h.joins.Serve}}
}

// listenPort opens a port that a service has for itself, at all the addresses
// of the node.
func (n *Node) listenPort(port uint16) (out []net.Listener, err error) {
	self, _ := n.Map().Node(n.cfg.Self)
	for _, a := range self.Listens() {
		l, err := net.Listen("tcp", netip.AddrPortFrom(a, port).String())
		if err != nil {
			for _, l := range out {
				l.Close()
			}
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// dialOrigin reaches a service of the first node of the home region that
// answers.
func (n *Node) dialOrigin(service landfall.MeshService) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (c net.Conn, err error) {
		err = errors.New("the map has no node with the origin role")
		for _, o := range n.maps.Map().Origins() {
			if c, err = n.dialService(ctx, o.ID, service); err == nil {
				return c, nil
			}
		}
		return nil, err
	}
}

func (n *Node) dialService(ctx context.Context, id landfall.NodeID, service landfall.MeshService) (net.Conn, error) {
	return n.mesh.Dial(ctx, landfall.Target{Node: id, Service: service, Class: landfall.Control})
}

// dialChallenges reaches the challenges of a node of the home region.
func (n *Node) dialChallenges(ctx context.Context, id landfall.NodeID) (net.Conn, error) {
	return n.dialService(ctx, id, landfall.MeshACME)
}

// firstCertificate is how long the edge waits for a certificate before it
// accepts connections anyway, and refuses their handshakes.
const firstCertificate = 3 * time.Second

// runEdge serves, and lets clients that come in the first moment wait rather
// than be refused. New nodes that want to join wait with them.
func (n *Node) runEdge(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, firstCertificate)
	defer cancel()
	select {
	case <-n.source.Ready():
	case <-wait.Done():
	}
	return n.edge.Run(ctx, n.cfg.Sockets.HTTPS...)
}
