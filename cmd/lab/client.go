package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"
)

// dialTimeout is how long a client tries one address before the next.
const dialTimeout = 3 * time.Second

// DialName connects to a name as the host's resolver knows it, or to an
// address: to the first that answers, in the resolver's order.
func (h *Host) DialName(ctx context.Context, network, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort(network, service)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.Addr, 1)
	if addrs[0], err = netip.ParseAddr(host); err != nil {
		if addrs, err = h.Resolve(ctx, host); err != nil {
			return nil, err
		}
	}
	for _, a := range addrs {
		var c net.Conn
		try, cancel := context.WithTimeout(ctx, dialTimeout)
		c, err = h.Dial(try, network, netip.AddrPortFrom(a, uint16(port)))
		cancel()
		if err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	return nil, fmt.Errorf("host %s: reach %s: %w", h.Name, host, err)
}

// TLS is the configuration of a client on the host: it trusts what the host
// trusts now.
func (h *Host) TLS() (*tls.Config, error) {
	text, err := os.ReadFile(h.File("/etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots}, nil
}

// HTTPClient is a client on the host that makes a new connection for each
// request: each begins with DNS, as a new user's does.
func (h *Host) HTTPClient() (*http.Client, error) {
	trust, err := h.TLS()
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		DialContext: h.DialName, TLSClientConfig: trust, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}, nil
}
