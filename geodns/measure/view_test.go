package measure

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/steer"
)

func TestViewFindsByPrefix(t *testing.T) {
	a, b, c := netip.MustParsePrefix("10.0.1.0/24"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/48")
	v := Of(7, Verdict{Prefix: c, Weight: 3}, Verdict{Prefix: b, Weight: 1}, Verdict{Prefix: a}, Verdict{Prefix: b, Weight: 2})
	var order []netip.Prefix
	for verdict := range v.All() {
		order = append(order, verdict.Prefix)
	}
	if !slices.Equal(order, []netip.Prefix{a, b, c}) || v.Len() != 3 || v.Epoch() != 7 {
		t.Errorf("%v, %d, epoch %d", order, v.Len(), v.Epoch())
	}
	for addr, want := range map[string]float64{"192.0.2.77": 2, "::ffff:192.0.2.77": 2, "2001:db8:0:1::5%eth0": 3, "192.0.3.1": -1, "2001:db8:1::": -1} {
		got, ok := v.Find(netip.MustParseAddr(addr))
		if ok != (want >= 0) || ok && got.Weight != want {
			t.Errorf("%s: %+v, %v", addr, got, ok)
		}
	}
	if _, ok := v.Find(netip.Addr{}); ok {
		t.Error("found something about no address")
	}
	var none *View
	if _, ok := none.Find(a.Addr()); ok || none.Len() != 0 || none.Epoch() != 0 || len(slices.Collect(none.All())) != 0 {
		t.Error("a nil View is not empty")
	}
}

func TestNearestIsGeography(t *testing.T) {
	m := testMap()
	paris := landfall.Location{Known: true, Place: landfall.Place{Lat: 48.9, Lon: 2.3}, Country: "FR"}
	of := netip.MustParsePrefix("192.0.2.0/24")
	ids := func(guesses []Guess) (out []landfall.NodeID) {
		for _, g := range guesses {
			out = append(out, g.Edge)
		}
		return out
	}
	got := Nearest(m, fixed(paris))(of)
	if want := []landfall.NodeID{"fra", "nyc", "sfo", "gru", "sin", "syd"}; !slices.Equal(ids(got), want) {
		t.Errorf("%v, want %v", ids(got), want)
	}
	fra, _ := m.Region("fra")
	if km := paris.Place.Distance(fra.Place); got[0].RTT != steer.Predict(km) || got[0].Fastest != steer.Fastest(km) {
		t.Errorf("%+v at %v km", got[0], km)
	}
	for _, g := range Nearest(m, fixed{})(of) {
		if g.RTT != 0 || g.Fastest != 0 {
			t.Errorf("%+v for a client at an unknown place", g)
		}
	}
	m.Preferences = []landfall.Preference{{Country: "FR", Regions: []landfall.RegionID{"nyc", "gru"}}}
	if got := ids(Nearest(m, fixed(paris))(of)); !slices.Equal(got, []landfall.NodeID{"nyc"}) {
		t.Errorf("%v, but operators prefer nyc", got)
	}
}

func TestEstimatesAreShown(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	s.epochs(2, said{"nyc": 60, "fra": 100})
	s.now = s.now.Add(time.Hour)
	s.view = s.book.Freeze(s.world)
	got := s.verdict().Estimates
	if len(got) != 2 || got[0].Edge != "fra" || got[0].RTT != 100*time.Millisecond || got[1].Edge != "nyc" || !got[1].Fresh || got[1].Age != time.Hour {
		t.Errorf("%+v", got)
	}
}
