package forward

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"landfall"
	"landfall/edge/internal/ocean"
)

// newUpstreams serves a map with one upstream URL, which is app; nil: down.
func newUpstreams(t *testing.T, app http.Handler) *Upstreams {
	l := ocean.Listen()
	if app == nil {
		l.Close()
	}
	srv := &http.Server{Handler: app}
	go srv.Serve(l)
	u, err := NewUpstreams(UpstreamsConfig{Self: "fra1", Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		if address != "127.0.0.1:3000" {
			t.Errorf("dialled %s", address)
		}
		return ocean.Dial(ctx, l, 0)
	}})
	if err != nil {
		t.Fatal(err)
	}
	u.SetMap(&landfall.Map{Services: []landfall.Service{
		{Host: "shop.landfall.test", Upstream: "http://127.0.0.1:3000"},
		{Host: "chat.landfall.test", Upstream: landfall.UpstreamChat},
	}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- u.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return u
}

func TestUpstreamsRouteByHost(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for %s via %s", r.Host, r.RequestURI, r.Header.Get("X-Forwarded-For"), r.Header.Get("Via"))
	}
	u := newUpstreams(t, http.HandlerFunc(app))
	for _, c := range []struct {
		host   string
		status int
	}{
		{"shop.landfall.test", 200},
		{"Shop.landfall.test:8443", 200},
		{"chat.landfall.test", 421}, // the origin's own listener, not ours
		{"other.test", 421},
	} {
		r := httptest.NewRequest("GET", "http://"+c.host+"/cart?x=1;2", nil)
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		r.Header.Set("Via", "2.0 nyc1")
		w := httptest.NewRecorder()
		u.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d", c.host, w.Code, c.status)
		}
		if want := c.host + " /cart?x=1;2 for 192.0.2.7 via 2.0 nyc1, 1.1 fra1"; w.Code == 200 && w.Body.String() != want {
			t.Errorf("the application saw %q, want %q", w.Body, want)
		}
	}
	if s := u.Stats(); s.Requests != 4 || s.Statuses["2xx"] != 2 || s.Statuses["4xx"] != 2 {
		t.Errorf("%+v", s)
	}
}

func TestUpstreamThatIsDownIsTheOriginsFault(t *testing.T) {
	u := newUpstreams(t, nil)
	w := httptest.NewRecorder()
	u.ServeHTTP(w, httptest.NewRequest("GET", "http://shop.landfall.test/", nil))
	if w.Code != 502 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "behind shop.landfall.test") || !strings.Contains(w.Body.String(), "node fra1, fault origin") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Many requests at once do not take all descriptors, and an idle connection
// makes room.
func TestConnectionsToUpstreamsAreLimited(t *testing.T) {
	var open, peak atomic.Int64
	hold, entered := make(chan struct{}), make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- struct{}{}
			<-hold
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			peak.Store(max(peak.Load(), open.Add(1)))
		case http.StateClosed:
			open.Add(-1)
		}
	}
	srv.Start()
	defer srv.Close()
	u, err := NewUpstreams(UpstreamsConfig{Self: "fra1", Connections: 4})
	if err != nil {
		t.Fatal(err)
	}
	u.SetMap(&landfall.Map{Services: []landfall.Service{
		{Host: "shop.landfall.test", Upstream: srv.URL},
		{Host: "wiki.landfall.test", Upstream: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)}, // another to us
	}})
	ask := func(host, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		u.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://"+host+path, nil))
		return w
	}
	if w := ask("wiki.landfall.test", "/"); w.Code != 200 || u.places.Taken() != 1 {
		t.Fatalf("%d, %d connections", w.Code, u.places.Taken())
	}
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			if w := ask("shop.landfall.test", "/slow"); w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
		<-entered
	}
	w := ask("shop.landfall.test", "/")
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "fault ours") {
		t.Errorf("a third of four: %d %s", w.Code, w.Body)
	}
	if w := ask("wiki.landfall.test", "/"); w.Code != 200 {
		t.Errorf("another upstream: %d %s", w.Code, w.Body)
	}
	close(hold)
	asking.Wait()
	if w := ask("shop.landfall.test", "/"); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
	if peak.Load() > 4 {
		t.Errorf("%d connections of four", peak.Load())
	}
	u.carry.CloseIdleConnections()
	if n := u.places.Taken(); n != 0 {
		t.Errorf("%d places are taken after the end", n)
	}
}

// The whole way: an edge, the mesh, the home node's upstreams, an application.
func TestEdgeToUpstream(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		app := func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprint(rw, r.Host, " ", r.Header.Get("X-Forwarded-For"), " ", r.Header.Get("X-Request-Id"))
		}
		w.mesh.serve(t, "fra1", newUpstreams(t, http.HandlerFunc(app)))
		time.Sleep(10 * time.Second)
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://shop.landfall.test/", nil)
		req.Header.Set("X-Request-Id", "abc")
		res, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b [100]byte
		n, _ := res.Body.Read(b[:])
		if got := string(b[:n]); got != "shop.landfall.test 192.0.2.7 abc" {
			t.Errorf("the application saw %q", got)
		}
		if res.Header.Get(headerID) != "abc" || res.Header.Get(headerEdge) != "nyc1" {
			t.Errorf("the client got %v", res.Header)
		}
	})
}
