package day

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"landfall/mesh/wan"
)

// Region is where a node is.
type Region struct {
	Name                string
	Latitude, Longitude float64 // degrees
}

// Regions are the twelve, the first of which has been up the longest.
func Regions() []Region {
	return []Region{
		{"fra", 50.11, 8.68},
		{"iad", 39.04, -77.49},
		{"sjc", 37.34, -121.89},
		{"gru", -23.55, -46.63},
		{"jnb", -26.20, 28.05},
		{"bom", 19.08, 72.88},
		{"sin", 1.35, 103.82},
		{"nrt", 35.68, 139.69},
		{"syd", -33.87, 151.21},
		{"lhr", 51.51, -0.13},
		{"dxb", 25.20, 55.27},
		{"yyz", 43.65, -79.38},
	}
}

// random decides about the world, not about what nodes do.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1<<32)) }

// distance is that of the great circle between two regions, in km.
func distance(a, b Region) float64 {
	const earth, degree = 6371, math.Pi / 180
	square := func(x float64) float64 { return x * x }
	h := square(math.Sin((b.Latitude-a.Latitude)/2*degree)) +
		math.Cos(a.Latitude*degree)*math.Cos(b.Latitude*degree)*square(math.Sin((b.Longitude-a.Longitude)/2*degree))
	return 2 * earth * math.Asin(math.Sqrt(h))
}

// kmPerSecond is how far light comes in fibre.
const kmPerSecond = 200_000

// fibre is the link between two regions: cables make detours, some more than
// others, so that the way through a third region is now and then the faster.
func fibre(r *rand.Rand, a, b Region) wan.Link {
	detour := 1.2 + r.Float64()
	delay := time.Duration(distance(a, b) * detour / kmPerSecond * float64(time.Second)).Round(time.Microsecond)
	return wan.Link{
		Delay:     delay + 500*time.Microsecond,
		Jitter:    delay / 50,
		Reorder:   r.IntN(2) == 0,
		Loss:      0.0005,
		Burst:     wan.Burst{Enter: 0.0002, Leave: 0.1, Loss: 0.5},
		Duplicate: 0.0001,
		Rate:      1_000_000_000,
		MTU:       1500,
	}
}

// weather is what goes wrong in the course of a day of a given length: a
// dozen events at times that have nothing to do with anybody's.
func weather(r *rand.Rand, regions []Region, length time.Duration) (events []wan.Event) {
	pair := func() (a, b wan.Site) {
		i, j := r.IntN(len(regions)), r.IntN(len(regions)-1)
		if j >= i {
			j++
		}
		return site(regions[i]), site(regions[j])
	}
	at := func() time.Duration { return length/20 + time.Duration(r.Int64N(int64(length)*17/20)) }
	while := func() time.Duration { return length/500 + time.Duration(r.Int64N(int64(length)/50)) }
	add := func(oneWay bool, c wan.Change) {
		a, b := pair()
		events = append(events, wan.Event{At: at(), For: while(), From: a, To: b, OneWay: oneWay, Change: c})
	}
	for range 2 {
		add(false, wan.Cut())
		add(true, wan.Cut())
		add(false, wan.Brownout(256_000, 40*time.Millisecond, 0.05))
		add(true, wan.Brownout(0, 0, 0.3))
		add(false, wan.Reroute(time.Duration(50+r.IntN(150))*time.Millisecond))
	}
	add(false, wan.Narrow(1280, false))
	add(true, wan.Narrow(1400, true))
	off, from, long := regions[r.IntN(len(regions))], at(), while()
	for _, other := range regions {
		if other != off {
			events = append(events, wan.Event{At: from, For: long, From: site(off), To: site(other), Change: wan.Cut()})
		}
	}
	return events
}

func site(r Region) wan.Site { return wan.Site(r.Name) }

// port is the same for all nodes.
const port = 51820

// addresses are where a node listens, and where others find it.
func addresses(number int) (inside, public netip.AddrPort) {
	public = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + number)}), port)
	if _, translated := nat(number); translated {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(number), 2}), port), public
	}
	return public, public
}

// nat is what a region is behind, if it is.
func nat(number int) (n wan.NAT, translated bool) {
	public := netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + number)})
	switch number {
	case 3:
		return wan.PortRestricted(public), true
	case 5:
		return wan.OneToOne(public, netip.AddrFrom4([4]byte{10, 0, 5, 2})), true
	}
	return wan.NAT{}, false
}
