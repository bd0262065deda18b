package report

import (
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// network is a map with so many edges of a ceiling, and a name server.
func network(ceiling int, edges ...landfall.NodeID) *landfall.Map {
	m := &landfall.Map{Serial: 1, Network: "test", Steering: landfall.Steering{Ceiling: ceiling}}
	for _, id := range edges {
		m.Nodes = append(m.Nodes, landfall.Node{ID: id, Roles: []landfall.Role{landfall.RoleEdge}})
	}
	m.Nodes = append(m.Nodes, landfall.Node{ID: "dns1", Roles: []landfall.Role{landfall.RoleDNS}})
	return m
}

// mesh is a Book that is asked by whom the header says.
type mesh struct {
	*Book
	t       *testing.T
	handler http.Handler
	samples map[landfall.NodeID][]landfall.Sample
	fetched map[landfall.NodeID][]Fetched
}

func newMesh(t *testing.T, m *landfall.Map) *mesh {
	w := &mesh{t: t, samples: map[landfall.NodeID][]landfall.Sample{}, fetched: map[landfall.NodeID][]Fetched{}}
	w.Book = New(Config{
		Peer: func(r *http.Request) (landfall.NodeID, bool) {
			id := landfall.NodeID(r.Header.Get("Peer"))
			return id, id != ""
		},
		Samples: func(from landfall.NodeID, s []landfall.Sample) { w.samples[from] = append(w.samples[from], s...) },
		Fetched: func(from landfall.NodeID, f []Fetched) { w.fetched[from] = append(w.fetched[from], f...) },
	})
	w.handler = w.Handler()
	if m != nil {
		w.SetMap(m)
	}
	return w
}

func (w *mesh) post(from landfall.NodeID, body io.Reader) (status int, text string) {
	w.t.Helper()
	req := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, Path, body)
	req.Header.Set("Peer", string(from))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

// serve lets edges report their requests a second.
func (w *mesh) serve(requests map[landfall.NodeID]float64) {
	w.t.Helper()
	for id, n := range requests {
		if status, text := w.post(id, document(Report{Requests: n})); status != http.StatusNoContent {
			w.t.Fatalf("%s: %d %s", id, status, text)
		}
	}
}

func (w *mesh) demand() float64 { return w.Demand(time.Now()) }

func near(got, want float64) bool { return got >= want/1.05 && got <= want*1.05 }

func TestReportsAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMesh(t, network(0, "fra1", "nyc1"))
		r := full()
		r.Samples[0].Edge = "nyc1" // it cannot speak for others
		r.Samples[0].When, r.Fetched[0].When = time.Now(), time.Now()
		if status, text := w.post("fra1", document(r)); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, text)
		}
		if s := w.samples["fra1"]; len(s) != 2 || s[0].Edge != "fra1" || s[0].RTT != 12*time.Millisecond || s[1].Edge != "fra1" {
			t.Errorf("samples %+v", s)
		}
		if f := w.fetched["fra1"]; len(f) != 1 || f[0].Token != token || f[0].Client.String() != "192.0.2.7" {
			t.Errorf("fetches %+v", f)
		}
		if len(w.samples) != 1 || len(w.fetched) != 1 {
			t.Errorf("%v, %v", w.samples, w.fetched)
		}
	})
}

func TestReportsAreRefusedWithAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := network(0, "fra1", "gone1")
		m.Nodes[1].State = landfall.Gone
		w := newMesh(t, m)
		good := func() io.Reader { return document(Report{Requests: 1}) }
		for _, c := range []struct {
			from   landfall.NodeID
			body   io.Reader
			status int
			text   string
		}{
			{"", good(), 403, "only edges of the map report"},
			{"dns1", good(), 403, "only edges of the map report"},
			{"gone1", good(), 403, "only edges of the map report"},
			{"elsewhere", good(), 403, "only edges of the map report"},
			{"fra1", strings.NewReader("{"), 400, "report: unexpected end of JSON input"},
			{"fra1", good(), 429, "a report came less than a second ago"},
		} {
			if status, text := w.post(c.from, c.body); status != c.status || text != c.text {
				t.Errorf("%q: %d %s, want %d %s", c.from, status, text, c.status, c.text)
			}
		}
		time.Sleep(seldom)
		if status, _ := w.post("fra1", strings.NewReader(strings.Repeat(" ", maxReport+1))); status != 413 {
			t.Errorf("a report without end: %d", status)
		}
		time.Sleep(seldom)
		if status, text := w.post("fra1", io.MultiReader(strings.NewReader("{"), cut{})); status != 400 || text != io.ErrUnexpectedEOF.Error() {
			t.Errorf("a report that is cut: %d %s", status, text)
		}
		want := map[string]uint64{stranger: 4, broken: 2, hasty: 1, large: 1}
		if s := w.Stats(); !maps.Equal(s.Refused, want) || s.Reports != 0 {
			t.Errorf("%+v, want %v refused", s, want)
		}
		time.Sleep(seldom)
		if status, _ := w.post("fra1", good()); status != 204 {
			t.Errorf("a good report after bad ones: %d", status)
		}
		if status, _ := newMesh(t, nil).post("fra1", good()); status != 403 {
			t.Errorf("without a map: %d", status)
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path, nil)
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, req); rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET: %d", rec.Code)
		}
	})
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestDemandIsWhatFreshEdgesServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMesh(t, network(0, "fra1", "nyc1"))
		if d := w.demand(); d != 0 {
			t.Errorf("%g before any report", d)
		}
		w.serve(map[landfall.NodeID]float64{"fra1": 300, "nyc1": 700})
		if d := w.demand(); !near(d, 1000) {
			t.Errorf("%g, want about 1000", d)
		}
		time.Sleep(Fresh / 2)
		w.serve(map[landfall.NodeID]float64{"fra1": 300})
		time.Sleep(Fresh / 2)
		if d := w.demand(); !near(d, 300) {
			t.Errorf("%g after nyc1 fell silent, want about 300", d)
		}
		w.SetMap(network(0, "nyc1"))
		if d := w.demand(); d != 0 || len(w.Stats().Requests) != 0 {
			t.Errorf("%g of an edge that is no more", d)
		}
	})
}

// Loads that go up and down by a few per cent leave the demand where it is; a
// slow rise moves it step by step.
func TestDemandStaysWhileLittleChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMesh(t, network(0, "fra1"))
		seen := map[float64]bool{}
		for i := range 1000 {
			w.serve(map[landfall.NodeID]float64{"fra1": 1000 + 40*math.Sin(float64(i))})
			seen[w.demand()] = true
			time.Sleep(10 * time.Second)
		}
		if len(seen) != 1 {
			t.Errorf("demands %v though hardly anything changes", seen)
		}
		clear(seen)
		for i := range 1000 {
			served := 1000 * math.Exp(float64(i)/1000) // to 2718
			w.serve(map[landfall.NodeID]float64{"fra1": served})
			if d := w.demand(); d < served/1.2 || d > served*1.2 {
				t.Fatalf("%g at a load of %g", d, served)
			}
			seen[w.demand()] = true
			time.Sleep(10 * time.Second)
		}
		if len(seen) < 8 || len(seen) > 13 {
			t.Errorf("%d demands while the load grew to e times as much, want about 10", len(seen))
		}
	})
}

// One of eight edges dies, and its clients go to the others within half a
// minute: all together serve the same, and that is what is planned for.
func TestDeathOfAnEdgeHardlyMovesTheDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edges := []landfall.NodeID{"a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1"}
		w := newMesh(t, network(0, edges...))
		tick := func(each float64, alive []landfall.NodeID) {
			for _, id := range alive {
				w.serve(map[landfall.NodeID]float64{id: each})
			}
			time.Sleep(10 * time.Second)
		}
		for range 30 {
			tick(100, edges)
		}
		before := w.demand()
		for i := range 60 {
			moved := min(float64(i)/3, 1) * 100 / 7
			tick(100+moved, edges[1:])
			if d := w.demand(); d != before {
				t.Fatalf("%g after %d s, %g before", d, 10*(i+1), before)
			}
		}
	})
}

func TestEdgeCannotSayToServeTheWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMesh(t, network(100, "fra1", "liar"))
		w.serve(map[landfall.NodeID]float64{"fra1": 50, "liar": 1e8})
		if d := w.demand(); !near(d, 150) {
			t.Errorf("%g, want the 50 of fra1 and the ceiling of the other", d)
		}
	})
}

// An edge that comes, or was silent, is believed by and by.
func TestOneReportMovesNothing(t *testing.T) {
	for name, before := range map[string][]float64{"never there": nil, "there before": {20, 20, 20, 20, 20, 20}} {
		synctest.Test(t, func(t *testing.T) {
			w := newMesh(t, network(1000, "fra1", "nyc1"))
			tick := func(others ...float64) {
				w.serve(map[landfall.NodeID]float64{"fra1": 500})
				for _, n := range others {
					w.serve(map[landfall.NodeID]float64{"nyc1": n})
				}
				time.Sleep(10 * time.Second)
			}
			for _, n := range before {
				tick(n)
			}
			for range 7 {
				tick()
			}
			tick(1e8)
			if d := w.demand(); !near(d, 500) {
				t.Errorf("%s: %g after one report, want the 500 of the other edge", name, d)
			}
			for range 30 {
				tick(1e8)
			}
			if d := w.demand(); !near(d, 1500) {
				t.Errorf("%s: %g after five minutes, want 500 and the ceiling", name, d)
			}
		})
	}
}

func TestNobodyHasToListen(t *testing.T) {
	b := New(Config{})
	b.SetMap(network(0, "fra1"))
	b.hear("fra1", full(), Dropped{1, 2, 3}, epoch)
	s := b.Stats()
	if want := map[string]uint64{"malformed": 1, "surplus": 2, "untimely": 3}; s.Reports != 1 || !maps.Equal(s.Dropped, want) {
		t.Errorf("%+v", s)
	}
}
