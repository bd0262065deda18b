package forward

import (
	"net/http"
	"strings"
)

// plain takes from a request what would turn the connection to the origin
// into a tunnel, unless that is a WebSocket: what passes through a tunnel the
// edge can neither read nor vouch for, and h2c would be a way around every
// check of a request (RFC 9113, 3.1 has dropped it).
func plain(r *http.Request) *http.Request {
	_, settings := r.Header["Http2-Settings"]
	_, upgrade := r.Header["Upgrade"]
	upgrade = upgrade && !opensWebSocket(r)
	if !settings && !upgrade {
		return r
	}
	r = r.Clone(r.Context()) // handlers do not change what they are given
	r.Header.Del("Http2-Settings")
	if upgrade {
		r.Header.Del("Upgrade")
	}
	return r
}

// opensWebSocket reports whether a request is a client's opening handshake
// (RFC 6455, 4.1).
func opensWebSocket(r *http.Request) bool {
	h := r.Header
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor >= 1 &&
		r.ContentLength == 0 &&
		len(h["Upgrade"]) == 1 && strings.EqualFold(h.Get("Upgrade"), "websocket") &&
		h.Get("Sec-Websocket-Version") == "13" &&
		len(h.Get("Sec-Websocket-Key")) == 24 // 16 octets in base64
}
