package wire_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"landfall/origin/wire"
)

func TestURLsAreThoseOfTheAsker(t *testing.T) {
	for _, test := range []struct {
		name, host        string
		edge              bool
		header            http.Header
		wantAPI, wantHome string
	}{
		{"straight", "chat.test:8080", false, nil, "http://chat.test:8080/flows/a/b%2Fc", "http://chat.test:8080/app"},
		{"api host", "api.chat.test", false, nil, "http://api.chat.test/flows/a/b%2Fc", "http://www.chat.test/app"},
		{"stream host", "stream.chat.test", false, nil, "http://api.chat.test/flows/a/b%2Fc", "http://www.chat.test/app"},
		{"forged", "chat.test", false, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.test"}}, "http://chat.test/flows/a/b%2Fc", "http://chat.test/app"},
		{"through our edge", "10.0.0.1", true, http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"api.chat.test"}}, "https://api.chat.test/flows/a/b%2Fc", "https://www.chat.test/app"},
		{"odd scheme", "chat.test", true, http.Header{"X-Forwarded-Proto": {"javascript"}}, "http://chat.test/flows/a/b%2Fc", "http://chat.test/app"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Host = test.host
		maps.Copy(r.Header, test.header)
		var got wire.Base
		h := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = wire.BaseOf(r) }))
		if test.edge {
			h = wire.FromEdge(h)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if api, home := got.API("flows", "a", "b/c"), got.Web("app"); api != test.wantAPI || home != test.wantHome {
			t.Errorf("%s: %s %s", test.name, api, home)
		}
	}
}
