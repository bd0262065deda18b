package forward

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"

	"landfall"
)

// Headers of ours.
const (
	headerID     = "X-Request-Id"      // names a request on all its way
	headerRegion = "X-Landfall-Region" // where the client is, for the origin
	headerEdge   = "X-Landfall-Edge"   // which edge answered, for the client
)

// maxRequestID bounds the ids that clients may bring along.
const maxRequestID = 128

// describe tells the origin about the client and the way here. Nothing that
// the client claims about that itself gets through.
func describe(p *httputil.ProxyRequest, id string, self landfall.NodeID, client netip.Addr, at landfall.Location) {
	h := p.Out.Header
	for name := range h {
		if claims(name) {
			delete(h, name)
		}
	}
	p.Out.Trailer = nil // some servers take trailers for headers (RFC 9110, 6.5.1 lets us drop them)
	proto := "http"
	if p.In.TLS != nil {
		proto = "https"
	}
	h.Set("X-Forwarded-Host", p.In.Host)
	h.Set("X-Forwarded-Proto", proto)
	if client.IsValid() {
		h.Set("X-Forwarded-For", client.String())
	}
	h.Set("Forwarded", forwarded(client, p.In.Host, proto, self))
	h.Set(headerID, id)
	if r := region(at); r != "" {
		h.Set(headerRegion, r)
	}
	keepAsSent(p, self)
}

// keepAsSent undoes what ReverseProxy does to the query, which is not ours
// to judge, and adds the Via that RFC 9110, 7.6.3 asks of gateways.
func keepAsSent(p *httputil.ProxyRequest, self landfall.NodeID) {
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	via := fmt.Sprintf("%d.%d %s", p.In.ProtoMajor, p.In.ProtoMinor, self)
	if prior := p.Out.Header.Values("Via"); len(prior) > 0 {
		via = strings.Join(prior, ", ") + ", " + via
	}
	p.Out.Header.Set("Via", via)
}

// claims reports whether a header says what only an edge can know: who the
// client is, how it came here, or what it asked for before somebody rewrote
// it. An underscore counts as a hyphen: many applications cannot tell them
// apart.
func claims(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	switch name {
	case "forwarded", "forwarded-for", "x-forwarded", "x-request-id",
		"client-ip", "x-client-ip", "x-real-ip", "x-remote-ip", "x-remote-addr", "x-cluster-client-ip", "x-proxyuser-ip",
		"true-client-ip", "fastly-client-ip", "fly-client-ip", "do-connecting-ip", "x-appengine-user-ip",
		"x-azure-clientip", "x-azure-socketip", "ali-cdn-real-ip", "cdn-src-ip", "proxy-client-ip", "wl-proxy-client-ip",
		"x-scheme", "x-url-scheme", "front-end-https", "x-host", "x-rewrite-url",
		"proxy": // HTTP_PROXY to whoever runs CGI
		return true
	}
	for _, family := range []string{"x-forwarded-", "x-original-", "x-envoy-", "cf-", "x-landfall-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}

// forwarded is the value of the Forwarded header (RFC 7239, 4). The node
// names itself by an obfuscated identifier (6.3).
func forwarded(client netip.Addr, host, proto string, self landfall.NodeID) string {
	who := "unknown"
	switch {
	case client.Is4():
		who = client.String()
	case client.Is6():
		who = `"[` + client.String() + `]"` // 6.1: with brackets, so quoted
	}
	return "for=" + who + ";host=" + quoted(host) + ";proto=" + proto + ";by=_" + string(self)
}

// quoted is s as a token or a quoted-string (RFC 9110, 5.6.2 and 5.6.4).
func quoted(s string) string {
	token := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !alphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}) < 0
	if token {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// region says where a client is, as a dictionary of RFC 9651, 3.2, or
// nothing.
func region(at landfall.Location) string {
	var parts []string
	if at.Continent != "" {
		parts = append(parts, "continent="+at.Continent)
	}
	if at.Country != "" {
		parts = append(parts, "country="+at.Country)
	}
	return strings.Join(parts, ", ")
}

// RequestID keeps the id that a client gave its request, if it is harmless
// in logs and headers, and else makes one.
func RequestID(h http.Header) string {
	if ids := h.Values(headerID); len(ids) == 1 && validID(ids[0]) {
		return ids[0]
	}
	return rand.Text()
}

func validID(id string) bool {
	return id != "" && len(id) <= maxRequestID && strings.IndexFunc(id, func(r rune) bool {
		return !alphanumeric(r) && !strings.ContainsRune("-_.:=+/", r)
	}) < 0
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
