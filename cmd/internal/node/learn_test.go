package node

import (
	"bytes"
	"context"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"landfall"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
	"landfall/geodns/report"
	"landfall/geodns/resolver"
)

// idle is a listener of a name server that nobody asks by its sockets.
type idle struct{ net.Listener }

// learning is a name server whose edges report by hand.
type learning struct {
	*testing.T
	*DNS
}

func newLearning(t *testing.T, keep *os.Root) learning {
	atlas, err := OpenAtlas(AtlasConfig{Sources: locate.Sources{Places: america(t)}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDNS(DNSConfig{
		TCP: []net.Listener{idle{}}, Atlas: atlas, Keep: keep,
		Peer: func(r *http.Request) (landfall.NodeID, bool) { return landfall.NodeID(r.RemoteAddr), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.SetMap(&landfall.Map{
		Network: "app", Domain: "app.test", Serial: 1,
		Regions: []landfall.Region{
			{ID: "fra", Place: landfall.Place{Lat: 50.11, Lon: 8.68}, Home: true},
			{ID: "nyc", Place: landfall.Place{Lat: 40.71, Lon: -74.01}},
			{ID: "sin", Place: landfall.Place{Lat: 1.29, Lon: 103.85}},
		},
		Nodes: []landfall.Node{
			{ID: "fra1", Region: "fra", Roles: []landfall.Role{landfall.RoleEdge}, Advertised: []netip.Addr{netip.MustParseAddr("192.0.2.1")}},
			{ID: "nyc1", Region: "nyc", Roles: []landfall.Role{landfall.RoleEdge}, Advertised: []netip.Addr{netip.MustParseAddr("192.0.2.2")}},
			{ID: "sin1", Region: "sin", Roles: []landfall.Role{landfall.RoleEdge}, Advertised: []netip.Addr{netip.MustParseAddr("192.0.2.3")}},
		},
		Services: []landfall.Service{{Host: "www.app.test", Upstream: "http://127.0.0.1:3000"}},
	})
	return learning{t, d}
}

// america is a database that knows 198.32.0.0/16.
func america(t *testing.T) (file string) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-City", Description: map[string]string{"en": "test"}, RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR("198.32.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(network, mmdbtype.Map{
		"country":  mmdbtype.Map{"iso_code": mmdbtype.String("US")},
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(40), "longitude": mmdbtype.Float64(-80)},
	}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "geo.mmdb")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// hear takes a report as it comes over the mesh.
func (l learning) hear(from landfall.NodeID, r report.Report) {
	l.Helper()
	body, err := report.Encode(r)
	if err != nil {
		l.Fatal(err)
	}
	req := httptest.NewRequestWithContext(l.Context(), http.MethodPost, report.Path, bytes.NewReader(body))
	req.RemoteAddr = string(from)
	w := httptest.NewRecorder()
	if l.learn.handler().ServeHTTP(w, req); w.Code != http.StatusNoContent {
		l.Fatalf("report of %s: %d %s", from, w.Code, w.Body)
	}
}

// first is the edge that clients at an address are told first.
func (l learning) first(addr string) landfall.NodeID {
	p := l.server.Plan()
	i, _ := p.Lookup(plan.A, netip.MustParseAddr(addr))
	return p.Choice(i).Edges[0]
}

// everybody asks and is measured once: a hundred prefixes as geography has it,
// and one from which fra1 is nearer.
func (l learning) everybody(far string) {
	samples := map[landfall.NodeID][]landfall.Sample{}
	for i := range 100 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 32, byte(i)}), 24)
		l.learn.traffic.Add(p.Addr())
		rtt := map[landfall.NodeID]time.Duration{"nyc1": 20 * time.Millisecond, "fra1": 90 * time.Millisecond}
		if p.Contains(netip.MustParseAddr(far)) {
			rtt["nyc1"], rtt["fra1"] = rtt["fra1"], rtt["nyc1"]
		}
		for id, t := range rtt {
			samples[id] = append(samples[id], landfall.Sample{Prefix: p, Edge: id, RTT: t, Count: 5, When: time.Now()})
		}
	}
	for id, s := range samples {
		l.hear(id, report.Report{Requests: 50, Samples: s})
	}
}

// Edges report over the mesh what they measure and serve, and from the next
// epoch on the answers go by it.
func TestAnswersGoByWhatEdgesReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLearning(t, nil)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = l.learn.run(ctx) })
		defer running.Wait()
		defer stop()
		const far, near = "198.32.7.9", "198.32.8.9"
		if got := l.first(far); got != "nyc1" {
			t.Fatalf("by geography %s is nearest", got)
		}
		for range 240 { // three hours
			time.Sleep(45 * time.Second)
			l.everybody(far)
		}
		if got := l.first(far); got != "fra1" {
			t.Errorf("fra1 measures 20 ms and nyc1 90, and %s is told first; %+v", got, l.learn.measured.Stats())
		}
		if got := l.first(near); got != "nyc1" {
			t.Errorf("%s is told first to those of whom nothing was measured", got)
		}
		if got := l.server.Plan().Demand(); got < 90 || got > 111 {
			t.Errorf("two edges of 50 requests a second each make a demand of %v", got)
		}
	})
}

// What a name server learnt outlives its restart.
func TestWhatWasLearntIsKept(t *testing.T) {
	keep, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	synctest.Test(t, func(t *testing.T) {
		run := func(l learning, during func()) {
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = l.learn.run(ctx) })
			during()
			stop()
			running.Wait()
		}
		before := newLearning(t, keep)
		run(before, func() {
			for range 100 {
				before.learn.traffic.Add(netip.MustParseAddr("198.32.7.9"))
			}
			time.Sleep(time.Minute)
		})
		after := newLearning(t, keep)
		if n := after.learn.traffic.Freeze().Total(); n < 90 {
			t.Errorf("of 100 queries %v are known after a restart", n)
		}
	})
}

// The questions of a resolver weigh where its clients are, not where it is.
func TestClientsBehindResolversHaveTheirWeight(t *testing.T) {
	carrier, own := netip.MustParseAddr("198.32.0.53"), netip.MustParsePrefix("198.32.7.0/24")
	a, b := netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.0/24")
	behind := resolver.Of(map[netip.Addr]map[netip.Prefix]float64{carrier: {a: 30, b: 30}})
	weights := map[netip.Prefix]float64{landfall.ClientPrefix(carrier): 1000, own: 10, a: 1}
	spread(weights, behind)
	want := map[netip.Prefix]float64{own: 10, a: 501, b: 500}
	for p, w := range want {
		if math.Abs(weights[p]-w) > 0.01 {
			t.Errorf("%v weighs %v, want %v", p, weights[p], w)
		}
	}
	if len(weights) != len(want) {
		t.Errorf("weights %v", weights)
	}
}
