package measure

import (
	"net/netip"
	"slices"

	"landfall"
	"landfall/geodns/steer"
)

// Locator tells where an address is; a locate.Table is one.
type Locator interface {
	Locate(netip.Addr) (landfall.Location, netip.Prefix)
}

// Nearest is World.Prior by great circle from where a Locator has the clients.
// Where operators prefer a region, measurement may choose among its edges
// only. The function may be used by one goroutine at a time.
func Nearest(m *landfall.Map, where Locator) func(netip.Prefix) []Guess {
	ranker := steer.NewRanker(m)
	return func(p netip.Prefix) []Guess {
		loc, _ := where.Locate(p.Addr())
		view := ranker.View(steer.Client{Location: loc, Addr: p.Addr()})
		order := ranker.Rank(view)
		out := make([]Guess, 0, len(order))
		for _, i := range order {
			e := ranker.Edge(i)
			if best := ranker.Edge(order[0]).Region; e.Region != best && preferred(m, view.Preference, best) {
				continue
			}
			g := Guess{Edge: e.ID}
			if loc.Known {
				g.RTT, g.Fastest = steer.Predict(view.Distances[i]), steer.Fastest(view.Distances[i])
			}
			out = append(out, g)
		}
		return out
	}
}

// preferred reports whether a preference names a region.
func preferred(m *landfall.Map, preference int, r landfall.RegionID) bool {
	return preference >= 0 && slices.Contains(m.Preferences[preference].Regions, r)
}
