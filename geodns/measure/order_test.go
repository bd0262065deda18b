package measure

import (
	"testing"
	"time"

	"landfall"
)

type said = map[landfall.NodeID]int

func TestMeasurementOverrulesGeographyByTheMarginOnly(t *testing.T) {
	for _, c := range []struct {
		name     string
		fra, nyc int
		want     landfall.NodeID
	}{
		{"4 ms better", 40, 36, ""},
		{"5 ms better", 40, 35, ""},
		{"6 ms better", 45, 39, "nyc"},
		{"6 ms better of 100", 100, 94, ""},
		{"11 ms better of 100", 100, 89, "nyc"},
		{"as geography has it", 20, 80, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, all(), "fra", "nyc", "sin")
			s.epochs(6, said{"fra": c.fra, "nyc": c.nyc})
			if c.want == "" {
				s.order("in the end")
			} else {
				s.order("in the end", c.want)
			}
		})
	}
}

func TestLeaderChangesAfterSomeEpochs(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	for range patience - 1 {
		s.epochs(1, said{"fra": 100, "nyc": 40})
		s.order("too soon")
	}
	s.epochs(1, said{"fra": 100, "nyc": 40})
	s.order("in the last epoch of patience", "nyc")
	before := s.book.Stats().Changes
	s.book.Freeze(s.world)
	if got := s.book.Stats().Changes; got != before {
		t.Errorf("a second view in one epoch changed the leader")
	}
}

func TestViewsOfOneEpochCountOnce(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	s.epochs(1, said{"fra": 100, "nyc": 40})
	for range 2 * patience {
		s.view = s.book.Freeze(s.world)
	}
	s.order("in one epoch")
}

func TestLeaderStaysUntilAnotherIsBetterByTheMargin(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	s.epochs(5, said{"fra": 100, "nyc": 60})
	s.order("nyc is better", "nyc")
	s.epochs(20, said{"fra": 57, "nyc": 60})
	s.order("fra is a little better now", "nyc")
	s.epochs(20, said{"fra": 40, "nyc": 60})
	s.order("fra is better by far")
}

func TestNoFlappingAroundTheMargin(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	for i := range 300 {
		s.epochs(1, said{"fra": 100, "nyc": 88 + 6*(i%2)})
	}
	if n := s.book.Stats().Changes; n > 1 {
		t.Errorf("%d changes", n)
	}
}

func TestGeographyDecidesAgainWhenMeasurementsAreOld(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	s.epochs(5, said{"fra": 100, "nyc": 60})
	s.order("measured", "nyc")
	s.now = s.now.Add(staleAfter - time.Hour)
	s.view = s.book.Freeze(s.world)
	s.order("not old yet", "nyc")
	s.now = s.now.Add(2 * time.Hour)
	s.view = s.book.Freeze(s.world)
	s.order("old")
}

// A leader that is measured is not left for one that is only guessed to be
// near.
func TestPredictionTakesNoLead(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	s.epochs(6, said{"fra": 300})
	s.order("fra is far, the rest was not measured")
	s.epochs(6, said{"fra": 300, "sin": 200})
	s.order("sin is nearer than fra; nyc might be", "sin", "nyc")
}

// Clients who are near to Singapore are far from New York, wherever geography
// has them.
func TestGuessesFitWhatWasMeasured(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin", "syd")
	s.epochs(6, said{"fra": 170, "sin": 5})
	s.order("near sin", "sin", "syd")
}

// No clients are near to both Frankfurt and Sydney: who says so later is not
// believed.
func TestContradictionsMoveNobody(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "syd")
	s.epochs(10, said{"fra": 20, "syd": 1})
	s.order("both say that they are near")
	if got := s.book.Stats().Contradicted; got != 1 {
		t.Errorf("%d contradictions", got)
	}
	light := int(between(s.world.Map, "fra", "syd") / time.Millisecond)
	s = start(t, all(), "fra", "nyc", "syd")
	s.epochs(10, said{"fra": light, "syd": 2})
	s.order("fra is as far as syd is", "syd")
}

// twins is a map with two edges in Singapore.
func twins() *landfall.Map {
	m := testMap()
	m.Nodes = append(m.Nodes, landfall.Node{ID: "sin2", Region: "sin", Roles: []landfall.Role{landfall.RoleEdge}})
	return m
}

func TestEdgesAtOnePlaceRiseTogether(t *testing.T) {
	s := start(t, all(), "fra", "sin", "sin2", "nyc")
	s.world.Map = twins()
	s.book.SetMap(s.world.Map)
	s.epochs(6, said{"fra": 170, "sin2": 5})
	// sin goes without saying: it stands as high as sin2.
	if got := s.verdict().Order; len(got) == 0 || got[0] != "sin" && got[0] != "sin2" || len(got) > 1 && (got[1] == "sin" || got[1] == "sin2") {
		t.Errorf("order %v", got)
	}
}

func TestBrokenTwinFallsAlone(t *testing.T) {
	s := start(t, all(), "sin", "sin2", "syd", "fra")
	s.world.Map = twins()
	s.book.SetMap(s.world.Map)
	s.epochs(10, said{"sin": 5000, "sin2": 30})
	got := s.verdict().Order
	if len(got) != 4 || got[0] != "sin2" || got[3] != "sin" {
		t.Errorf("order %v, want sin2 first and sin last", got)
	}
}

func TestEdgesThatLeaveTheMapLeaveTheOrder(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	s.epochs(5, said{"fra": 100, "nyc": 60})
	s.order("measured", "nyc")
	m := s.world.Map.Clone()
	for i := range m.Nodes {
		if m.Nodes[i].ID == "nyc" {
			m.Nodes[i].State = landfall.Draining
		}
	}
	s.world.Map = m
	s.view = s.book.Freeze(s.world)
	for _, id := range s.verdict().Order {
		if id == "nyc" {
			t.Errorf("order %v has an edge that drains", s.verdict().Order)
		}
	}
	for _, e := range s.verdict().Estimates {
		if e.Edge == "nyc" {
			t.Error("an edge that drains is still estimated")
		}
	}
}
