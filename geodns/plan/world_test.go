package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"

	"landfall"
	"landfall/geodns/locate"
	"landfall/geodns/prefix"
)

// soak reports whether the full sizes are asked for.
func soak() bool { return os.Getenv("LANDFALL_SOAK") != "" }

// some is how many of all there are a test looks at: few where it has to be
// quick.
func some(few, all int) int {
	if testing.Short() {
		return few
	}
	return all
}

// a world is where addresses are, and a map with edges among them.
type world struct {
	r      *rand.Rand
	places []landfall.Location
	rows   map[netip.Prefix]landfall.Location
	m      *landfall.Map
}

// cities are where edges stand: two places have two edges, of other weights.
func cities() []landfall.Region {
	return []landfall.Region{
		{ID: "fra", Place: landfall.Place{Lat: 50.11, Lon: 8.68}, Home: true},
		{ID: "nyc", Place: landfall.Place{Lat: 40.71, Lon: -74.01}},
		{ID: "sjc", Place: landfall.Place{Lat: 37.34, Lon: -121.89}},
		{ID: "sin", Place: landfall.Place{Lat: 1.35, Lon: 103.82}},
		{ID: "gru", Place: landfall.Place{Lat: -23.55, Lon: -46.63}},
		{ID: "jnb", Place: landfall.Place{Lat: -26.2, Lon: 28.05}},
	}
}

// eight is a map with eight edges.
func eight() *landfall.Map {
	m := &landfall.Map{Network: "test", Domain: "example.net", Regions: cities()}
	for i, r := range []landfall.RegionID{"fra", "fra", "nyc", "nyc", "sjc", "sin", "gru", "jnb"} {
		m.Nodes = append(m.Nodes, landfall.Node{
			ID: landfall.NodeID(fmt.Sprint(r, i)), Region: r, Roles: []landfall.Role{landfall.RoleEdge},
			Advertised: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i + 1)})},
		})
	}
	m.Nodes[1].Weight = 300
	return m
}

// newWorld scatters so many places over the Earth's continents.
func newWorld(seed uint64, places int) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 1)), rows: map[netip.Prefix]landfall.Location{}, m: eight()}
	for i := range places {
		continent := i % 6
		middle := []landfall.Place{{Lat: 50, Lon: 10}, {Lat: 40, Lon: -95}, {Lat: 30, Lon: 100}, {Lat: -15, Lon: -55}, {Lat: 0, Lon: 20}, {Lat: -25, Lon: 135}}[continent]
		w.places = append(w.places, landfall.Location{
			Known: true, City: fmt.Sprint("city ", i), Country: fmt.Sprintf("%c%c", 'A'+continent, 'A'+i/6%26),
			Continent: []string{"EU", "NA", "AS", "SA", "AF", "OC"}[continent],
			Place:     landfall.Place{Lat: middle.Lat + w.r.Float64()*24 - 12, Lon: middle.Lon + w.r.Float64()*40 - 20},
		})
	}
	return w
}

// near is a place on the continent of another, most often.
func (w *world) near(i int) int {
	n := len(w.places)
	if w.r.IntN(12) == 0 {
		return w.r.IntN(n)
	}
	return (i + 6*w.r.IntN(n)) % (n / 6 * 6)
}

// settle gives a prefix to a place and parts of it to others, as registries
// and networks do, until parts are as long as longest.
func (w *world) settle(p netip.Prefix, place, longest int, split float64) {
	if place >= 0 {
		loc := w.places[place]
		loc.ASN = uint32(64500 + place%7)
		w.rows[p] = loc
	}
	if p.Bits() >= longest || w.r.Float64() > split {
		return
	}
	left, right := prefix.Halves(p)
	for _, half := range []netip.Prefix{left, right} {
		next := place
		if place < 0 || w.r.IntN(3) == 0 {
			next = w.near(max(place, 0))
		}
		if w.r.IntN(40) == 0 {
			w.rows[half] = landfall.Location{}
			continue
		}
		w.settle(half, next, longest, split)
	}
}

// populate settles both families: so many IPv4 blocks and IPv6 networks.
func (w *world) populate(v4, v6 int, split float64) {
	for i := range v4 {
		p, _ := netip.AddrFrom4([4]byte{byte(1 + i*223/v4), byte(w.r.Uint32()), byte(w.r.Uint32())}).Prefix(8 + w.r.IntN(12))
		w.settle(p, w.r.IntN(len(w.places)), 24, split)
	}
	for range v6 {
		rir := []uint16{0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00}[w.r.IntN(6)]
		p, _ := netip.AddrFrom16([16]byte{byte(rir >> 8), byte(rir), byte(w.r.Uint32()), byte(w.r.Uint32()), byte(w.r.Uint32()), byte(w.r.Uint32())}).Prefix(20 + w.r.IntN(20))
		w.settle(p, w.r.IntN(len(w.places)), 48, split/2)
	}
}

func (w *world) atlas() *locate.Table { return locate.Of(w.rows) }

// downs are states of health by bits: the edges, in the map's order, whose bit
// is set are down.
func (w *world) down(state int) map[landfall.NodeID]bool {
	out := map[landfall.NodeID]bool{}
	for i, n := range w.m.Nodes {
		if state>>i&1 == 1 {
			out[n.ID] = true
		}
	}
	return out
}

// sorted are the rows, the wide before the narrow.
func (w *world) sorted() []netip.Prefix {
	var out []netip.Prefix
	for p := range w.rows {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		if a.Bits() != b.Bits() {
			return a.Bits() - b.Bits()
		}
		return a.Compare(b)
	})
	return out
}

// large is a world as large as a country database.
func large(tb testing.TB, places, v4 int) *world {
	w := newWorld(1, places)
	w.populate(v4, 20000, 0.9)
	t := w.atlas()
	n4, n6 := t.Places().Len()
	tb.Logf("%d IPv4 and %d IPv6 leaves, %d places", n4, n6, t.Locations())
	return w
}
