package geography

import (
	"flag"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/health"
	"landfall/geodns/locate"
	"landfall/geodns/measure"
	"landfall/geodns/plan"
	"landfall/geodns/resolver"
	"landfall/geodns/traffic"
)

var update = flag.Bool("update", false, "write what is said now into the golden files")

// world has clients in three places, one of whom was measured, a resolver
// whose clients are elsewhere, and an edge that is down.
func world() plan.Input {
	edge := func(id landfall.NodeID, region landfall.RegionID, addr string) landfall.Node {
		return landfall.Node{ID: id, Region: region, Roles: []landfall.Role{landfall.RoleEdge}, Advertised: []netip.Addr{netip.MustParseAddr(addr)}}
	}
	in := plan.Input{
		Map: &landfall.Map{
			Network: "app", Domain: "app.test", Serial: 7,
			Regions: []landfall.Region{
				{ID: "fra", Place: landfall.Place{Lat: 50.11, Lon: 8.68}, Home: true},
				{ID: "nyc", Place: landfall.Place{Lat: 40.71, Lon: -74.01}},
				{ID: "sin", Place: landfall.Place{Lat: 1.29, Lon: 103.85}},
			},
			Nodes: []landfall.Node{
				edge("fra1", "fra", "192.0.2.1"), edge("fra2", "fra", "192.0.2.4"), edge("nyc1", "nyc", "192.0.2.2"), edge("sin1", "sin", "192.0.2.3"),
			},
			Services:    []landfall.Service{{Host: "www.app.test"}, {Host: "www.example.com", External: true}},
			Preferences: []landfall.Preference{{Country: "BR", Regions: []landfall.RegionID{"fra", "sin"}}},
			Steering:    landfall.Steering{Answers: 1, Ceiling: 1000},
		},
		Atlas: locate.Of(map[netip.Prefix]landfall.Location{
			netip.MustParsePrefix("20.0.0.0/8"): {Known: true, Place: landfall.Place{Lat: 40, Lon: -80}, Country: "US", Continent: "NA", City: "Pittsburgh"},
			netip.MustParsePrefix("30.0.0.0/8"): {Known: true, Place: landfall.Place{Lat: 48.86, Lon: 2.35}, Country: "FR", Continent: "EU", ASN: 64500},
			netip.MustParsePrefix("40.0.0.0/8"): {Known: true, Place: landfall.Place{Lat: -15.8, Lon: -47.9}, Country: "BR", Continent: "SA"},
		}),
		Down:   map[landfall.NodeID]bool{"nyc1": true},
		Demand: 2500,
		Measured: measure.Of(9, measure.Verdict{
			Prefix: netip.MustParsePrefix("30.1.2.0/24"), Order: []landfall.NodeID{"sin1"}, Explore: "sin1",
			Estimates: []measure.Estimate{
				{Edge: "fra1", RTT: 80 * time.Millisecond, Count: 12, Age: time.Minute, Enough: true, Fresh: true},
				{Edge: "sin1", RTT: 30 * time.Millisecond, Count: 40, Age: 90 * time.Second, Enough: true, Fresh: true},
				{Edge: "nyc1", RTT: 90 * time.Millisecond, Count: 1, Age: 30 * time.Hour},
			},
		}),
		Resolvers: resolver.Of(map[netip.Addr]map[netip.Prefix]float64{
			netip.MustParseAddr("30.9.9.9"): {netip.MustParsePrefix("20.1.1.0/24"): 20, netip.MustParsePrefix("20.1.2.0/24"): 30},
		}),
	}
	return in
}

// Every kind of step is told, as people read it.
func TestExplanations(t *testing.T) {
	in := world()
	p := plan.Compile(in)
	reason := func(id landfall.NodeID) health.Reason {
		if id == "nyc1" {
			return health.Reason{Down: true, Error: "connection refused"}
		}
		return health.Reason{}
	}
	var b strings.Builder
	for _, q := range []Question{
		{Address: "20.1.1.77"},
		{Address: "30.1.2.3"},
		{Address: "30.9.9.9", Resolver: true},
		{Address: "40.0.0.0/24", Name: "WWW.example.com."},
		{Address: "2002:2801:0203::/48", Type: "AAAA"},
		{Address: "::ffff:20.1.1.7"},
		{Address: "99.9.9.9", Type: "https"},
		{},
	} {
		e, err := Explain(in.Map, p, q, reason)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Write(&b); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n====\n\n")
	}
	golden(t, "testdata/explain.txt", b.String())
}

func TestPreviews(t *testing.T) {
	before := world()
	after := before
	after.Map = before.Map.Clone()
	after.Map.Preferences = nil
	after.Map.Nodes = after.Map.Nodes[:3]
	var b strings.Builder
	for _, demand := range []float64{2500, 0} {
		before.Demand, after.Demand = demand, demand
		if err := Compare(before.Map, after.Map, plan.Compile(before), plan.Compile(after), plan.A, ByAddresses, demand == 0).Write(&b); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n====\n\n")
	}
	golden(t, "testdata/preview.txt", b.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", file, got)
	}
}

func TestQuestionsThatCannotBeAnswered(t *testing.T) {
	in := world()
	p := plan.Compile(in)
	for _, q := range []Question{{Address: "30.1.2"}, {Address: "30.1.2.3", Type: "MX"}, {Address: "30.1.2.3", Name: "mail.app.test"}} {
		if e, err := Explain(in.Map, p, q, nil); err == nil {
			t.Errorf("%+v: %+v", q, e)
		}
	}
	if err := (Question{Address: "1.2.3.4/33"}).Check(); err == nil {
		t.Error("a prefix that is too long is taken")
	}
	in.Map.Services = nil
	if _, err := Explain(in.Map, p, Question{}, nil); err == nil {
		t.Error("a map without services is explained")
	}
}

// The dots of the picture are all clients whose place is known.
func TestTheWorldAsItIsSeen(t *testing.T) {
	in := world()
	in.Weights = traffic.Of(map[netip.Prefix]float64{netip.MustParsePrefix("20.1.1.0/24"): 1e9})
	v := Look(in.Map, plan.Compile(in), in.Atlas, func(id landfall.NodeID) bool { return in.Down[id] })
	sum := 0.0
	for _, d := range v.Dots {
		sum += d.Weight
	}
	if len(v.Dots) < 3 || math.Abs(sum-1) > 0.05 {
		t.Errorf("%d dots of weight %v", len(v.Dots), sum)
	}
	for _, e := range v.Edges {
		if (e.State == "down") != in.Down[e.ID] {
			t.Errorf("%s is %s", e.ID, e.State)
		}
	}
}
