package node

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/edge"
)

// target is a server on the loopback that is probed, and the map that says so.
type target struct {
	m      *landfall.Map
	node   landfall.Node
	roots  *x509.CertPool
	status map[string]int // of paths; others are 404
	asked  []string
}

func newTarget(t *testing.T) *target {
	tt := &target{status: map[string]int{}, roots: x509.NewCertPool()}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tt.asked = append(tt.asked, r.Host+r.URL.Path)
		status, ok := tt.status[r.URL.Path]
		if !ok {
			status = http.StatusNotFound
		}
		w.Header().Set("Location", "/nowhere")
		w.WriteHeader(status)
	})
	clear, secret := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	t.Cleanup(clear.Close)
	t.Cleanup(secret.Close)
	tt.roots.AddCert(secret.Certificate())
	port := func(s *httptest.Server) uint16 { return netip.MustParseAddrPort(s.Listener.Addr().String()).Port() }
	tt.m = &landfall.Map{
		Domain: "edge.example.org", Ports: landfall.Ports{HTTP: port(clear), HTTPS: port(secret)},
		Services: []landfall.Service{{Host: "example.com"}}, // which the certificate names
	}
	tt.node = landfall.Node{ID: "nyc1", Advertised: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	return tt
}

func (tt *target) probe(ctx context.Context, mesh func(context.Context, landfall.Node) error) error {
	return Probe(func() *landfall.Map { return tt.m }, func() *x509.CertPool { return tt.roots }, mesh)(ctx, tt.node)
}

func TestProbesAreWhatTheMapSays(t *testing.T) {
	const ready = "/ready"
	for _, c := range []struct {
		name   string
		health landfall.Health
		status map[string]int
		asked  string
		bad    string // part of the error; empty: it is up
	}{
		{"https", landfall.Health{}, map[string]int{edge.HealthPath: 200}, "example.com" + edge.HealthPath, ""},
		{"https, no origin", landfall.Health{}, map[string]int{edge.HealthPath: 503}, "example.com" + edge.HealthPath, "503"},
		{"https, not ours", landfall.Health{}, map[string]int{edge.HealthPath: 308}, "example.com" + edge.HealthPath, "308"},
		{"https, a path", landfall.Health{Path: ready}, map[string]int{ready: 204}, "example.com" + ready, ""},
		{"https, a path that leads elsewhere", landfall.Health{Path: ready}, map[string]int{ready: 302}, "example.com" + ready, ""},
		{"https, a path that fails", landfall.Health{Path: ready}, map[string]int{ready: 500}, "example.com" + ready, "500"},
		{"http", landfall.Health{Probe: landfall.ProbeHTTP}, map[string]int{edge.HealthPath: 200}, "example.com" + edge.HealthPath, ""},
		{"http, sent on to https", landfall.Health{Probe: landfall.ProbeHTTP}, map[string]int{edge.HealthPath: 308}, "example.com" + edge.HealthPath, "308"},
		{"http, a path", landfall.Health{Probe: landfall.ProbeHTTP, Path: ready}, map[string]int{ready: 301}, "example.com" + ready, ""},
		{"http, a path that is not there", landfall.Health{Probe: landfall.ProbeHTTP, Path: ready}, nil, "example.com" + ready, "404"},
		{"tcp", landfall.Health{Probe: landfall.ProbeTCP}, nil, "", ""},
		{"no such", landfall.Health{Probe: "icmp"}, nil, "", `"icmp"`},
		{"no mesh", landfall.Health{Probe: landfall.ProbeMesh}, nil, "", "no mesh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tt := newTarget(t)
			tt.m.Health, tt.status = c.health, c.status
			err := tt.probe(t.Context(), nil)
			if c.bad == "" && err != nil {
				t.Error(err)
			}
			if c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad) || !strings.HasPrefix(err.Error(), "probe nyc1")) {
				t.Errorf("got %v, want %q", err, c.bad)
			}
			if got := strings.Join(tt.asked, " "); got != c.asked {
				t.Errorf("asked for %q, want %q", got, c.asked)
			}
		})
	}
}

// The same probe goes another way as soon as there is another map.
func TestNewMapChangesTheProbe(t *testing.T) {
	tt := newTarget(t)
	hidden := errors.New("a firewall")
	var through []landfall.NodeID
	probe := Probe(func() *landfall.Map { return tt.m }, func() *x509.CertPool { return tt.roots }, func(_ context.Context, n landfall.Node) error {
		through = append(through, n.ID)
		return hidden
	})
	if err := probe(t.Context(), tt.node); err == nil {
		t.Error("404 is healthy")
	}
	next := tt.m.Clone()
	next.Health = landfall.Health{Probe: landfall.ProbeMesh}
	tt.m = next
	if err := probe(t.Context(), tt.node); !errors.Is(err, hidden) || len(through) != 1 || through[0] != "nyc1" {
		t.Errorf("by mesh: %v, %v", err, through)
	}
}

func TestProbesOfWhatIsNotThere(t *testing.T) {
	for _, kind := range []landfall.ProbeKind{landfall.ProbeHTTPS, landfall.ProbeHTTP, landfall.ProbeTCP} {
		tt := newTarget(t)
		tt.m.Health.Probe = kind
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := netip.MustParseAddrPort(l.Addr().String()).Port()
		tt.m.Ports = landfall.Ports{HTTP: port, HTTPS: port}
		if kind != landfall.ProbeTCP { // it accepts, and says nothing
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if err := tt.probe(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: silence is %v", kind, err)
			}
			cancel()
		}
		l.Close()
		if err := tt.probe(t.Context(), nil); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a closed port is %v", kind, err)
		}
		tt.node.Advertised = nil
		if err := tt.probe(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no address") {
			t.Errorf("%s: no address is %v", kind, err)
		}
	}
}

// A certificate that nobody trusts is worth nothing to a browser.
func TestProbeChecksTheCertificate(t *testing.T) {
	tt := newTarget(t)
	tt.status[edge.HealthPath] = http.StatusOK
	tt.roots = x509.NewCertPool()
	if err := tt.probe(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	if err := Probe(func() *landfall.Map { return tt.m }, nil, nil)(t.Context(), tt.node); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("by the system's roots: %v", err)
	}
	tt.m.Services = nil // nothing is served yet: connecting is all there is
	if err := tt.probe(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
