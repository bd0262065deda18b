package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"landfall"
)

// URL is the base of a host's addresses, with the port where it is not 443.
func (w *World) URL(host string) string {
	if p := w.Map().Ports.EffectiveHTTPS(); p != 443 {
		return fmt.Sprintf("https://%s:%d", host, p)
	}
	return "https://" + host
}

// chatHost is the host of the chat's page.
func (w *World) chatHost() string {
	m := w.Map()
	i := slices.IndexFunc(m.Services, func(s landfall.Service) bool { return s.Upstream == landfall.UpstreamChat })
	return m.Services[i].Host
}

// client is an HTTP client that trusts this world's authority, knows no
// cached connection or session, and reaches every host at one address. dial
// may put a distance in between; nil does not.
func (w *World) client(addr netip.AddrPort, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dial(ctx, network, addr.String())
			},
			TLSClientConfig:   &tls.Config{RootCAs: w.roots},
			ForceAttemptHTTP2: true,
		},
	}
}

// firstIn is the first node of a region with a role.
func firstIn(m *landfall.Map, region landfall.RegionID, role landfall.Role) (landfall.Node, bool) {
	for n := range m.Having(role) {
		if n.Region == region {
			return n, true
		}
	}
	return landfall.Node{}, false
}

// nodeAt is the node that advertises an address.
func nodeAt(m *landfall.Map, a netip.Addr) (landfall.Node, bool) {
	i := slices.IndexFunc(m.Nodes, func(n landfall.Node) bool { return slices.Contains(n.Advertised, a) })
	if i < 0 {
		return landfall.Node{}, false
	}
	return m.Nodes[i], true
}

// anyPort stands for all ports of an address.
func anyPort(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }
