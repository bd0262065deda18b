package edge

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"landfall"
)

// A probe in clear text learns what one over TLS does, whatever host it names.
func TestHealthIsAnsweredInClear(t *testing.T) {
	up := true
	r, err := NewRedirect(RedirectConfig{Health: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up {
			http.Error(w, "no origin can be reached", http.StatusServiceUnavailable)
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	r.SetMap(network(landfall.Active))
	for _, c := range []struct {
		path string
		up   bool
		want int
	}{
		{HealthPath, true, http.StatusOK},
		{HealthPath, false, http.StatusServiceUnavailable},
		{HealthPath + "/", true, http.StatusPermanentRedirect},
	} {
		up = c.up
		for _, host := range []string{"chat.landfall.test", "192.0.2.1"} {
			req := httptest.NewRequest(http.MethodGet, "http://"+host+c.path, nil)
			req.RequestURI = c.path
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			want := c.want
			if c.path != HealthPath && host != "chat.landfall.test" {
				want = http.StatusMisdirectedRequest
			}
			if w.Code != want {
				t.Errorf("%s of %s, up %v: %d, want %d", c.path, host, c.up, w.Code, want)
			}
		}
	}
}
