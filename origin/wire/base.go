package wire

import (
	"context"
	"net/http"
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
// X-Forwarded-Proto and X-Forwarded-Host, how the client made them. Requests
// that did not pass through it are taken as they are, whatever they claim.
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
