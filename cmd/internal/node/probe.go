package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"landfall"
	"landfall/edge"
)

// probe is a way to try whether a node serves.
type probe func(context.Context, landfall.Node) error

// Probe asks an edge whether it can serve, in the way that the current map
// wants: a new map changes it at once. roots vouch for what edges show over
// TLS; nil are the system's. mesh is the way through the mesh; nil where there
// is none, which a map that wants it is told with each probe.
func Probe(current func() *landfall.Map, roots func() *x509.CertPool, mesh func(context.Context, landfall.Node) error) func(context.Context, landfall.Node) error {
	if roots == nil {
		roots = func() *x509.CertPool { return nil }
	}
	if mesh == nil {
		mesh = func(context.Context, landfall.Node) error {
			return errors.New(`this name server is on no mesh: probe by "https", "http" or "tcp"`)
		}
	}
	return func(ctx context.Context, target landfall.Node) error {
		m := current()
		by := map[landfall.ProbeKind]probe{
			landfall.ProbeHTTPS: httpsProbe(m, roots),
			landfall.ProbeHTTP:  httpProbe(m),
			landfall.ProbeTCP:   tcpProbe(m),
			landfall.ProbeMesh:  mesh,
		}
		kind := m.Health.EffectiveProbe()
		try, ok := by[kind]
		if !ok {
			return fmt.Errorf("probe %s: no way is called %q", target.ID, kind)
		}
		if err := try(ctx, target); err != nil {
			return fmt.Errorf("probe %s by %s: %w", target.ID, kind, err)
		}
		return nil
	}
}

// httpsProbe asks as a user's browser would: by the first address of an edge,
// over TLS, with a certificate that roots vouch for.
func httpsProbe(m *landfall.Map, roots func() *x509.CertPool) probe {
	return func(ctx context.Context, target landfall.Node) error {
		s, ok := probed(m)
		if !ok {
			return tcpProbe(m)(ctx, target) // nothing is served yet, nothing to show a certificate for
		}
		port := m.Ports.EffectiveHTTPS()
		if s.Kind == landfall.TCP && s.Port != 0 {
			port = s.Port
		}
		addr, err := address(target, port)
		if err != nil {
			return err
		}
		settings := &tls.Config{RootCAs: roots(), ServerName: s.Host}
		if s.Kind == landfall.TCP {
			return probeTLS(ctx, addr, settings)
		}
		return probeWeb(ctx, addr, "https://"+s.Host, m.Health.Path, settings)
	}
}

// httpProbe asks in clear text, by the name of a service where there is one.
func httpProbe(m *landfall.Map) probe {
	return func(ctx context.Context, target landfall.Node) error {
		addr, err := address(target, m.Ports.EffectiveHTTP())
		if err != nil {
			return err
		}
		host := m.Domain
		if s, ok := probed(m); ok {
			host = s.Host
		}
		return probeWeb(ctx, addr, "http://"+host, m.Health.Path, nil)
	}
}

// tcpProbe connects to the port that an edge ends TLS on, and asks no more.
func tcpProbe(m *landfall.Map) probe {
	return func(ctx context.Context, target landfall.Node) error {
		addr, err := address(target, m.Ports.EffectiveHTTPS())
		if err != nil {
			return err
		}
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// address is where users of an edge come to.
func address(target landfall.Node, port uint16) (string, error) {
	if len(target.Advertised) == 0 {
		return "", errors.New("the map has no address of it")
	}
	return netip.AddrPortFrom(target.Advertised[0], port).String(), nil
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

// probeWeb asks a server at an address for a path. Without one that is the
// health of our own edges, who answer 200 if they serve. What an operator wrote
// may be of any server's: 2xx is good, and so is 3xx, which is not followed,
// for it leads elsewhere.
func probeWeb(ctx context.Context, addr, site, path string, settings *tls.Config) error {
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, // each probe is a handshake, as a new user's
			TLSClientConfig:   settings,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		},
	}
	good := func(status int) bool { return status == http.StatusOK }
	if path != "" {
		good = func(status int) bool { return status >= 200 && status < 400 }
	}
	if err := answers(ctx, &client, site+cmp.Or(path, edge.HealthPath), good); err != nil {
		return fmt.Errorf("at %s: %w", addr, err)
	}
	return nil
}

// answers asks for a URL, and fails unless the status is good.
func answers(ctx context.Context, client *http.Client, url string, good func(status int) bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !good(resp.StatusCode) {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("%s: %q", resp.Status, why)
	}
	return nil
}

// meshProbe asks a node for its health through the mesh, where no firewall of
// the public network is in the way.
func (n *Node) meshProbe() func(context.Context, landfall.Node) error {
	client := n.client(landfall.MeshAdmin, 0)
	return func(ctx context.Context, target landfall.Node) error {
		if target.ID == n.cfg.Self { // nobody dials himself
			if missing := n.waiting(n.Map()); len(missing) > 0 {
				return fmt.Errorf("waiting for %v", missing)
			}
			return nil
		}
		return answers(ctx, client, "http://"+string(target.ID)+"/health", func(status int) bool { return status == http.StatusOK })
	}
}
