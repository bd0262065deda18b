package admin

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type someStats struct {
	Queries uint64           `metric:"queries_total" help:"Queries received."`
	Answers map[string]int64 `metric:"answers_total" label:"rcode" help:"Answers sent, by \"code\"."`
	Loss    float64          `metric:"loss" help:"A line\nand another."`
	Alive   bool             `metric:"alive" help:"Whether it is."`
	Note    string           // no tag: not a metric
}

func TestMetricsFollowTheExpositionFormat(t *testing.T) {
	s := New(Config{Self: `fr"a\1`})
	s.Register("geodns", func() any {
		return &someStats{Queries: 3, Answers: map[string]int64{"NXDOMAIN": 1, "NOERROR": 2}, Loss: 0.25, Alive: true}
	})
	w := httptest.NewRecorder()
	s.Public().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	want := `# HELP landfall_geodns_queries_total Queries received.
# TYPE landfall_geodns_queries_total counter
landfall_geodns_queries_total{node="fr\"a\\1"} 3
# HELP landfall_geodns_answers_total Answers sent, by "code".
# TYPE landfall_geodns_answers_total counter
landfall_geodns_answers_total{node="fr\"a\\1",rcode="NOERROR"} 2
landfall_geodns_answers_total{node="fr\"a\\1",rcode="NXDOMAIN"} 1
# HELP landfall_geodns_loss A line\nand another.
# TYPE landfall_geodns_loss gauge
landfall_geodns_loss{node="fr\"a\\1"} 0.25
# HELP landfall_geodns_alive Whether it is.
# TYPE landfall_geodns_alive gauge
landfall_geodns_alive{node="fr\"a\\1"} 1
`
	if got := w.Body.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// serve runs a server on the control socket of a directory.
func serve(t *testing.T, dir string, cfg Config) *Client {
	t.Helper()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: New(cfg).Local()}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return NewClient(dir)
}

func TestControlSocketInADeepDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 60))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := serve(t, dir, Config{Self: "fra1", Overview: func(context.Context) Overview {
		return Overview{Network: "dev", Serial: 7, Nodes: []Status{{Node: "fra1"}}}
	}})
	o, err := c.Overview(t.Context())
	if err != nil || o.Serial != 7 || len(o.Nodes) != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	info, err := os.Stat(filepath.Join(dir, socketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket is %v, %v", info.Mode(), err)
	}
}

func TestNothingRunningIsSaidSo(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewClient(dir).Overview(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := NewClient(dir).Overview(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("left socket: %v", err)
	}
	again, err := Listen(dir)
	if err != nil {
		t.Fatalf("a socket left behind is in the way: %v", err)
	}
	again.Close()
}

func TestHealthSaysWhatIsWaitedFor(t *testing.T) {
	waiting := []string{"map"}
	s := New(Config{Self: "fra1", Status: func() Status { return Status{Node: "fra1", Serial: 4, Waiting: waiting} }})
	ask := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Public().ServeHTTP(w, httptest.NewRequest("GET", "/health", nil))
		return w
	}
	if w := ask(); w.Code != 503 || !strings.Contains(w.Body.String(), "map") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	waiting = nil
	if w := ask(); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), []byte("ok fra1 4\n")) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPeersMayLookButNotChange(t *testing.T) {
	s := New(Config{Self: "fra1", Control: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("asked by a peer")
	})})
	w := httptest.NewRecorder()
	s.Public().ServeHTTP(w, httptest.NewRequest("POST", "/state", nil))
	if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("got %d", w.Code)
	}
}
