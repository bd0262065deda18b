package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"landfall"
)

// upstreams tries, at home, what lies behind the services.
func (p *patient) upstreams(ctx context.Context, n *notes) {
	if !p.self.Has(landfall.RoleOrigin) {
		return
	}
	var list []landfall.Service
	for _, s := range p.Map.Services {
		if s.Upstream != landfall.UpstreamChat {
			list = append(list, s)
		}
	}
	found := make([]notes, len(list))
	var trying sync.WaitGroup
	for i, s := range list {
		found[i].check = n.check
		trying.Go(func() { p.upstream(ctx, &found[i], s) })
	}
	trying.Wait()
	for _, f := range found {
		n.list = append(n.list, f.list...)
	}
}

func (p *patient) upstream(ctx context.Context, n *notes, s landfall.Service) {
	u, err := url.Parse(s.Upstream)
	if err != nil {
		n.fail("landfall check", "the upstream %q of %s is not a URL", s.Upstream, s.Host)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addressOfURL(u))
	if err != nil {
		n.fail("ss -ltn 'sport = :"+portOf(u)+"', and start the application", "nothing answers for %s at %s: %v", s.Host, s.Upstream, err)
		return
	}
	defer c.Close()
	if s.Kind == landfall.TCP {
		n.ok("%s: %s takes connections", s.Host, s.Upstream)
		return
	}
	status, err := getStatus(ctx, c, u, s.Host)
	n.list = append(n.list, judgeUpstream(s, status, err)...)
}

// getStatus asks an upstream for its first page. It does so by hand: what is
// no web server may speak first, which a client that keeps connections takes
// for noise.
func getStatus(ctx context.Context, c net.Conn, u *url.URL, host string) (int, error) {
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	if u.Scheme == "https" {
		t := tls.Client(c, &tls.Config{ServerName: u.Hostname()})
		if err := t.HandshakeContext(ctx); err != nil {
			return 0, err
		}
		c = t
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("/").String(), nil)
	if err != nil {
		return 0, err
	}
	req.Host, req.Close = host, true
	// Who speaks first may have hung up already: what it said tells more.
	writeErr := req.Write(c)
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return 0, errors.Join(err, writeErr)
	}
	// The page is left unread: the connection ends with the try.
	return resp.StatusCode, nil
}

func judgeUpstream(s landfall.Service, status int, err error) []Finding {
	n := notes{check: "upstreams"}
	edit := fmt.Sprintf("in network.toml, in the [[service]] with host = %q; then: landfall map apply", s.Host)
	plain, isTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case isTLS && string(plain.RecordHeader[:]) == "HTTP/":
		n.fail("write http:// for https:// "+edit, "%s speaks plain HTTP, not TLS", s.Upstream)
	case err != nil && strings.Contains(err.Error(), `malformed HTTP response "\x15`): // a TLS alert (RFC 8446, 5.1)
		n.fail("write https:// for http:// "+edit, "%s speaks TLS", s.Upstream)
	case err != nil && strings.Contains(err.Error(), "malformed HTTP"):
		n.fail(`write kind = "tcp" and upstream = "tcp://HOST:PORT", or the URL of a web server, `+edit, "%s does not speak HTTP: %v", s.Upstream, err)
	case err != nil && faultOf(err) == Silent:
		n.fail("curl -v "+s.Upstream, "%s takes connections and says nothing: %v", s.Upstream, err)
	case err != nil:
		n.fail("curl -v "+s.Upstream, "%s does not answer as a web server: %v", s.Upstream, err)
	case slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, status):
		n.warn("curl -v "+s.Upstream, "%s: %s answers %d %s", s.Host, s.Upstream, status, http.StatusText(status))
	default:
		n.ok("%s: %s answers %d", s.Host, s.Upstream, status)
	}
	return n.list
}

func addressOfURL(u *url.URL) string { return net.JoinHostPort(u.Hostname(), portOf(u)) }

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
