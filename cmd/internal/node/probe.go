package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"landfall"
	"landfall/edge"
)

// HTTPSProbe asks an edge whether it can serve, as a user's browser would
// reach it: by its first address, over TLS, with a certificate that roots
// vouch for (nil: the system's).
func HTTPSProbe(current func() *landfall.Map, roots *x509.CertPool) func(context.Context, landfall.Node) error {
	return func(ctx context.Context, target landfall.Node) error {
		m := current()
		i := slices.IndexFunc(m.Services, func(s landfall.Service) bool { return s.Kind != landfall.TCP })
		if len(target.Advertised) == 0 || i < 0 {
			return fmt.Errorf("probe %s: the map has no address of it or no web service to ask for", target.ID)
		}
		addr := netip.AddrPortFrom(target.Advertised[0], m.Ports.EffectiveHTTPS()).String()
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, // each probe is a handshake, as a new user's
			TLSClientConfig:   &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+m.Services[i].Host+edge.HealthPath, nil)
		if err != nil {
			return fmt.Errorf("probe %s: %w", target.ID, err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("probe %s at %s: %w", target.ID, addr, err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			why, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
			return fmt.Errorf("probe %s at %s: %s: %s", target.ID, addr, resp.Status, why)
		}
		return nil
	}
}

// TCPProbe connects to the port that an edge ends TLS on, and asks no more:
// for name servers that send users to somebody else's edges.
func TCPProbe(current func() *landfall.Map) func(context.Context, landfall.Node) error {
	return func(ctx context.Context, target landfall.Node) error {
		if len(target.Advertised) == 0 {
			return fmt.Errorf("probe %s: the map has no address of it", target.ID)
		}
		addr := netip.AddrPortFrom(target.Advertised[0], current().Ports.EffectiveHTTPS())
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
		if err != nil {
			return fmt.Errorf("probe %s: %w", target.ID, err)
		}
		return c.Close()
	}
}
