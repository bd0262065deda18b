package wire_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"landfall/origin/wire"
)

func TestClientIsWhoTheEdgeSays(t *testing.T) {
	for _, test := range []struct {
		name, remote string
		edge         bool
		list         []string
		want         string
	}{
		{"straight", "192.0.2.7:1234", false, nil, "192.0.2.7"},
		{"forged", "192.0.2.7:1234", false, []string{"198.51.100.1"}, "192.0.2.7"},
		{"through our edge", "[fd00::1]:80", true, []string{"198.51.100.1"}, "198.51.100.1"},
		{"the last entry is the edge's", "[fd00::1]:80", true, []string{"203.0.113.9", "203.0.113.8, 2001:db8::7"}, "2001:db8::7"},
		{"mapped", "[::ffff:192.0.2.7]:1234", false, nil, "192.0.2.7"},
		{"nonsense from the edge", "[fd00::1]:80", true, []string{"unknown"}, "fd00::1"},
		{"a pipe", "pipe", false, nil, "invalid IP"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = test.remote
		r.Header["X-Forwarded-For"] = test.list
		got := ""
		h := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = wire.ClientOf(r).String() }))
		if test.edge {
			h = wire.FromEdge(h)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
