package measure

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/geodns/steer"
)

// cities are where clients live, with their part of the people, by and by.
var cities = []struct {
	place  landfall.Place
	people float64
}{
	{landfall.Place{Lat: 50.1, Lon: 8.7}, 6}, {landfall.Place{Lat: 51.5, Lon: -0.1}, 6}, {landfall.Place{Lat: 40.4, Lon: -3.7}, 4},
	{landfall.Place{Lat: 52.2, Lon: 21}, 4}, {landfall.Place{Lat: 41, Lon: 29}, 4}, {landfall.Place{Lat: 30, Lon: 31.2}, 3},
	{landfall.Place{Lat: 6.5, Lon: 3.4}, 3}, {landfall.Place{Lat: -26.2, Lon: 28}, 2}, {landfall.Place{Lat: 40.7, Lon: -74}, 6},
	{landfall.Place{Lat: 41.9, Lon: -87.6}, 4}, {landfall.Place{Lat: 32.8, Lon: -96.8}, 3}, {landfall.Place{Lat: 34, Lon: -118.2}, 5},
	{landfall.Place{Lat: 47.6, Lon: -122.3}, 3}, {landfall.Place{Lat: 19.4, Lon: -99.1}, 4}, {landfall.Place{Lat: -23.5, Lon: -46.6}, 5},
	{landfall.Place{Lat: -34.6, Lon: -58.4}, 3}, {landfall.Place{Lat: 4.7, Lon: -74.1}, 2}, {landfall.Place{Lat: 19.1, Lon: 72.9}, 6},
	{landfall.Place{Lat: 28.6, Lon: 77.2}, 5}, {landfall.Place{Lat: 1.35, Lon: 103.8}, 4}, {landfall.Place{Lat: -6.2, Lon: 106.8}, 4},
	{landfall.Place{Lat: 35.7, Lon: 139.7}, 6}, {landfall.Place{Lat: 37.6, Lon: 127}, 3}, {landfall.Place{Lat: 14.6, Lon: 121}, 3},
	{landfall.Place{Lat: -33.9, Lon: 151.2}, 3}, {landfall.Place{Lat: -36.8, Lon: 174.8}, 1},
}

// testMap has six edges, each at a place of its own.
func testMap() *landfall.Map {
	m := &landfall.Map{Network: "test"}
	for _, s := range []struct {
		id       string
		lat, lon float64
	}{{"fra", 50.1, 8.7}, {"gru", -23.5, -46.6}, {"nyc", 40.7, -74}, {"sfo", 37.8, -122.4}, {"sin", 1.35, 103.8}, {"syd", -33.9, 151.2}} {
		m.Regions = append(m.Regions, landfall.Region{ID: landfall.RegionID(s.id), Place: landfall.Place{Lat: s.lat, Lon: s.lon}, Home: s.id == "fra"})
		m.Nodes = append(m.Nodes, landfall.Node{ID: landfall.NodeID(s.id), Region: landfall.RegionID(s.id), Roles: []landfall.Role{landfall.RoleEdge}})
	}
	return m
}

// earth is a simulated world: what is true, and what geography believes.
type earth struct {
	m       *landfall.Map
	clients []client
	index   map[netip.Prefix]int
	total   float64 // of all weights
	rng     *rand.Rand
}

type client struct {
	prefix netip.Prefix
	weight float64
	guess  []Guess   // geography
	rank   []int     // of guess: index of the edge
	base   []float64 // true round trip to each edge, milliseconds
	busy   []float64 // what the evening adds at its height
	noon   float64   // the hour of the day at which it is highest
}

// newEarth makes a world in which geography has the wrong edge for a part of
// the prefixes, by more than 5 ms and a tenth: half of these are elsewhere than it believes, to the others
// the way from the nearest edge is long. The traffic of the prefixes falls
// like one over their rank; the first have one to two percent.
func newEarth(seed uint64, prefixes int, wrong float64) *earth {
	e := &earth{m: testMap(), rng: rand.New(rand.NewPCG(seed, 7)), index: map[netip.Prefix]int{}}
	ranks := e.rng.Perm(prefixes)
	for i := range prefixes {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(0x0b000000+i*256))
		c := e.client(i%100 < int(math.Round(wrong*100)))
		c.prefix = netip.PrefixFrom(netip.AddrFrom4(a), 24)
		c.weight = 1 / float64(ranks[i]+25)
		e.total += c.weight
		e.index[c.prefix] = len(e.clients)
		e.clients = append(e.clients, c)
	}
	return e
}

// client draws one, of whom geography has the right edge or the wrong one.
func (e *earth) client(wrong bool) client {
	for elsewhere := e.rng.IntN(2) == 0; ; {
		where := e.somewhere()
		believed := where
		if wrong && elsewhere {
			believed = e.somewhere()
		}
		c := e.draw(where, believed)
		best, geo := slices.Min(c.base), c.base[c.rank[0]]
		if !wrong && geo == best || wrong && best < geo-max(5, geo/10) {
			return c
		}
	}
}

// somewhere is near some city.
func (e *earth) somewhere() landfall.Place {
	all := 0.0
	for _, c := range cities {
		all += c.people
	}
	x := e.rng.Float64() * all
	for _, c := range cities {
		if x -= c.people; x < 0 {
			return landfall.Place{Lat: c.place.Lat + 3*e.rng.NormFloat64(), Lon: c.place.Lon + 3*e.rng.NormFloat64()}
		}
	}
	return cities[0].place
}

func (e *earth) draw(where, believed landfall.Place) client {
	var c client
	last := 2 + 6*e.rng.ExpFloat64() // the way to the first exchange
	for i, n := range e.m.Nodes {
		region, _ := e.m.Region(n.Region)
		straight := steer.Fastest(where.Distance(region.Place)).Seconds() * 1000
		c.base = append(c.base, last+straight*(1.25+0.35*e.rng.ExpFloat64()))
		c.busy = append(c.busy, 0)
		if e.rng.IntN(5) == 0 {
			c.busy[i] = 15 * e.rng.Float64()
		}
		km := believed.Distance(region.Place)
		c.guess = append(c.guess, Guess{n.ID, steer.Predict(km), steer.Fastest(km)})
		c.rank = append(c.rank, i)
	}
	slices.SortStableFunc(c.rank, func(a, b int) int { return int(c.guess[a].RTT - c.guess[b].RTT) })
	sorted := make([]Guess, len(c.guess))
	for i, r := range c.rank {
		sorted[i] = c.guess[r]
	}
	c.guess = sorted
	c.noon = math.Mod(20-where.Lon/15+24, 24) // eight in the evening
	return c
}

// rtt is the true round trip at a time, in milliseconds.
func (c *client) rtt(edge int, now time.Time) float64 {
	if c.busy[edge] == 0 {
		return c.base[edge]
	}
	hour := float64(now.Unix()%86400) / 3600
	return c.base[edge] + c.busy[edge]*max(0, math.Cos((hour-c.noon)*math.Pi/12))
}

// world is what a Book is told of it.
func (e *earth) world() World {
	return World{
		Map:    e.m,
		Prior:  func(p netip.Prefix) []Guess { return e.clients[e.index[p]].guess },
		Weight: func(p netip.Prefix) float64 { return e.clients[e.index[p]].weight },
	}
}
