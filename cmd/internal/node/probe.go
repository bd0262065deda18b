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
// vouch for.
func HTTPSProbe(current func() *landfall.Map, roots func() *x509.CertPool) func(context.Context, landfall.Node) error {
	return func(ctx context.Context, target landfall.Node) error {
		m := current()
		s, ok := probed(m)
		if !ok {
			return TCPProbe(current)(ctx, target) // nothing is served yet, nothing to show a certificate for
		}
		if len(target.Advertised) == 0 {
			return fmt.Errorf("probe %s: the map has no address of it", target.ID)
		}
		port := m.Ports.EffectiveHTTPS()
		if s.Kind == landfall.TCP && s.Port != 0 {
			port = s.Port
		}
		addr := netip.AddrPortFrom(target.Advertised[0], port).String()
		var err error
		if settings := (&tls.Config{RootCAs: roots(), ServerName: s.Host}); s.Kind == landfall.TCP {
			err = probeTLS(ctx, addr, settings)
		} else {
			err = probeHTTPS(ctx, addr, settings)
		}
		if err != nil {
			return fmt.Errorf("probe %s at %s: %w", target.ID, addr, err)
		}
		return nil
	}
}

// probed is the service that edges are asked for: a web service of the domain
// rather than one of kind tcp, which answers less, or one outside, whose
// certificate depends on others.
func probed(m *landfall.Map) (landfall.Service, bool) {
	best := slices.MinFunc(append(slices.Clone(m.Services), landfall.Service{}), func(a, b landfall.Service) int {
		rank := func(s landfall.Service) int {
			switch {
			case s.Host == "":
				return 3
			case s.External:
				return 2
			case s.Kind == landfall.TCP:
				return 1
			}
			return 0
		}
		return rank(a) - rank(b)
	})
	return best, best.Host != ""
}

// probeTLS shakes hands and asks no more: the protocol is the service's own.
func probeTLS(ctx context.Context, addr string, settings *tls.Config) error {
	c, err := (&tls.Dialer{Config: settings}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

func probeHTTPS(ctx context.Context, addr string, settings *tls.Config) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // each probe is a handshake, as a new user's
		TLSClientConfig:   settings,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+settings.ServerName+edge.HealthPath, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("%s: %s", resp.Status, why)
	}
	return nil
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
