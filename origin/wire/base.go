package wire

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Base is the scheme and host under which a client reached us.
type Base struct {
	Scheme string // "http" or "https"
	Host   string // with a port, if the client named one
}

// edgeKey marks the context of a request that one of our edges forwarded.
type edgeKey struct{}

// FromEdge serves requests of which one of our own edges says, in
// X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-For, how the client
// made them and who it is. Requests that did not pass through it are taken as they are, whatever they claim.
func FromEdge(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), edgeKey{}, true)))
	})
}

// BaseOf is the base of a request.
func BaseOf(r *http.Request) Base {
	b := Base{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		b.Scheme = "https"
	}
	if r.Context().Value(edgeKey{}) == nil {
		return b
	}
	if proto := r.Header.Get("X-Forwarded-Proto"); proto == "https" || proto == "http" {
		b.Scheme = proto
	}
	if host := r.Header.Get("X-Forwarded-Host"); host != "" {
		b.Host = host
	}
	return b
}

// ClientOf is the address of the client, as the edge in front of us saw it
// or, without one, as we do. Edges let no entry of the client's own through.
// The zero Addr is one that is not known.
func ClientOf(r *http.Request) netip.Addr {
	if r.Context().Value(edgeKey{}) != nil {
		if list := r.Header.Values("X-Forwarded-For"); len(list) > 0 {
			last := list[len(list)-1]
			last = last[strings.LastIndexByte(last, ',')+1:]
			if a, err := netip.ParseAddr(strings.TrimSpace(last)); err == nil {
				return a.Unmap()
			}
		}
	}
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap()
}

// API is the absolute URL of a path of the REST API.
func (b Base) API(path ...string) string { return b.on("api.", path) }

// Web is the absolute URL of a page for people.
func (b Base) Web(path ...string) string { return b.on("www.", path) }

// on moves a host of the family (api.D, stream.D, www.D) to another of it. A
// deployment under one host keeps that.
func (b Base) on(sub string, path []string) string {
	host := b.Host
	for _, prefix := range []string{"api.", "stream.", "www."} {
		if rest, ok := strings.CutPrefix(host, prefix); ok {
			host = sub + rest
			break
		}
	}
	for i, p := range path {
		path[i] = url.PathEscape(p)
	}
	return b.Scheme + "://" + host + "/" + strings.Join(path, "/")
}
