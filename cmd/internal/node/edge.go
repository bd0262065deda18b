package node

import (
	"context"
	"net"
	"time"

	"landfall"
	"landfall/certs"
	"landfall/edge"
)

// buildEdge makes the part that ends TLS, and its certificates.
func (n *Node) buildEdge() error {
	dir, err := n.root("certs")
	if err != nil {
		return err
	}
	if n.source, err = certs.NewSource(certs.SourceConfig{Dir: dir, Dial: n.dialIssuer, Roots: n.cfg.Roots, Log: n.log}); err != nil {
		return err
	}
	if n.edge, err = edge.New(edge.Config{
		Self: n.cfg.Self, Certificates: n.source, Dialer: n.mesh, Locator: n.table, Log: n.cfg.Log,
	}); err != nil {
		return err
	}
	n.admin.Register("certs", func() any { return n.source.Stats() })
	n.admin.Register("edge", func() any { return n.edge.Stats() })
	return nil
}

// dialIssuer reaches the first node of the home region that answers.
func (n *Node) dialIssuer(ctx context.Context) (c net.Conn, err error) {
	for _, o := range n.maps.Map().Origins() {
		c, err = n.mesh.Dial(ctx, landfall.Target{Node: o.ID, Service: landfall.MeshCerts, Class: landfall.Control})
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

// firstCertificate is how long the edge waits for a certificate before it
// accepts connections anyway, and refuses their handshakes.
const firstCertificate = 3 * time.Second

// runEdge serves, and lets clients that come in the first moment wait rather
// than be refused.
func (n *Node) runEdge(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, firstCertificate)
	defer cancel()
	select {
	case <-n.source.Ready():
	case <-wait.Done():
	}
	return n.edge.Run(ctx, n.cfg.Sockets.HTTPS...)
}
