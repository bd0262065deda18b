package traffic

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func addr4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

func weight(v *View, prefix string) float64 {
	for p, w := range v.All() {
		if p == netip.MustParsePrefix(prefix) {
			return w
		}
	}
	return 0
}

func TestCountsByTheNetworkOfTheClient(t *testing.T) {
	c := New()
	for _, a := range []string{
		"192.0.2.1", "192.0.2.255", "::ffff:192.0.2.7", "192.0.3.1",
		"2001:db8::1", "2001:db8:0:ffff::1", "2001:db8:1::1", "fe80::1%eth0",
	} {
		c.Add(netip.MustParseAddr(a))
	}
	c.Add(netip.Addr{})
	v := c.Freeze()
	want := map[string]float64{"192.0.2.0/24": 3, "192.0.3.0/24": 1, "2001:db8::/48": 2, "2001:db8:1::/48": 1, "fe80::/48": 1}
	for p, n := range want {
		if got := weight(v, p); got != n {
			t.Errorf("%s: %g, want %g", p, got, n)
		}
	}
	if v.Len() != len(want) || v.Total() != 8 || v.Empty() {
		t.Errorf("%d prefixes, %g queries", v.Len(), v.Total())
	}
	var order []netip.Prefix
	for p := range v.All() {
		order = append(order, p)
	}
	if !slices.IsSortedFunc(order, netip.Prefix.Compare) {
		t.Errorf("not in order: %v", order)
	}
	for range v.All() {
		break
	}
}

func TestNilViewIsEmpty(t *testing.T) {
	var v *View
	if !v.Empty() || v.Total() != 0 || v.Len() != 0 {
		t.Error("a nil View has something in it")
	}
	for range v.All() {
		t.Error("a nil View has a prefix")
	}
}

func TestQueriesCountHalfAfterTheHalfLife(t *testing.T) {
	c := New()
	c.Tick(epoch)
	for range 1024 {
		c.Add(netip.MustParseAddr("192.0.2.1"))
	}
	for now := epoch; now.Sub(epoch) < HalfLife; {
		now = now.Add(time.Hour)
		c.Tick(now)
	}
	if got := c.Freeze().Total(); math.Abs(got-512) > 0.1 {
		t.Errorf("%g of 1024 after %v", got, HalfLife)
	}
	c.Tick(epoch) // a clock that was set back
	c.Tick(epoch.Add(24 * HalfLife))
	if v := c.Freeze(); !v.Empty() {
		t.Errorf("%g after a very long time", v.Total())
	}
}

// Of very many queries some are counted, each for several.
func TestVeryManyQueriesAreEstimated(t *testing.T) {
	c := New()
	c.Tick(epoch)
	a := netip.MustParseAddr("192.0.2.1")
	const second = 50_000
	for range second {
		c.Add(a)
	}
	c.Tick(epoch.Add(time.Second))
	if s := c.Stats(); s.Sampling != 16 || s.Queries != second || s.Prefixes != 1 {
		t.Fatalf("%+v", s)
	}
	for range second {
		c.Add(a)
	}
	// 50,000 draws at 1 in 16: the deviation is 16·√(50,000·15/16²) = 866.
	if got := c.Freeze().Total(); math.Abs(got-2*second) > 6*866 {
		t.Errorf("%g of %d", got, 2*second)
	}
	c.Tick(epoch.Add(time.Second + time.Hour))
	if s := c.Stats(); s.Sampling != 1 {
		t.Errorf("one in %d is counted when there are few", s.Sampling)
	}
}

// A flood of networks that ask once each, twice as many as there are
// places, leaves those who ask much where they are and what they are.
func TestFloodDoesNotWashTheKnownAway(t *testing.T) {
	c := New()
	rng := rand.New(rand.NewPCG(1, 2))
	const heavy, queries = 1000, 200
	for i := range uint32(heavy) {
		c.add(key4(10<<24|i<<8, 24), queries*one)
	}
	const flood = 2 * sets * ways
	for range flood {
		c.add(key6(rng.Uint64(), 48), one) // as Add does before it draws
	}
	v := c.Freeze()
	found, sum := 0, 0.0
	for p, w := range v.All() {
		if p.Addr().Is4() {
			found++
			sum += w
		}
	}
	if found < heavy*99/100 {
		t.Errorf("%d of %d known after the flood", found, heavy)
	}
	if math.Abs(sum/(heavy*queries)-1) > 0.05 {
		t.Errorf("they count %g, want about %d", sum, heavy*queries)
	}
	if total := float64(heavy*queries + flood); math.Abs(v.Total()/total-1) > 1e-9 {
		t.Errorf("a total of %g, want %g", v.Total(), total)
	}
	if v.Len() > sets*ways {
		t.Errorf("%d prefixes", v.Len())
	}
}

// Each network's count is right on average, also of those that share a place.
func TestCountsAreRightOnAverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const rounds = 500
	c := &Counter{} // a multiplier of 0: all in one set
	share := &c.sets[0]
	var sum float64
	for range rounds {
		*share = set{}
		for range 1000 {
			c.Add(addr4(uint32(rng.ExpFloat64()*8) << 8))
		}
		for i := range share.keys {
			if key(share.keys[i].Load()) == key4(3<<8, 24) {
				sum += float64(share.counts[i].Load()) / one
			}
		}
	}
	// P(3 <= X < 4) of 1000 queries, X exponential with mean 8: 80.8.
	want := 1000 * (math.Exp(-3.0/8) - math.Exp(-4.0/8))
	if got := sum / rounds; math.Abs(got/want-1) > 0.15 {
		t.Errorf("%g on average, want %g", got, want)
	}
}

func TestCountingTogetherLosesNothing(t *testing.T) {
	c := New()
	const each, workers = 20_000, 8
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := range uint32(each) {
				c.Add(addr4((i*7 + uint32(w)) % 5000 << 8))
			}
		})
	}
	running.Go(func() {
		for range 4 {
			c.Freeze()
			c.Stats()
		}
	})
	running.Wait()
	if got := c.Freeze().Total(); got != each*workers {
		t.Errorf("%g, want %d", got, each*workers)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	c := New()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(1000, func() { c.Add(a); c.Add(b) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestKeysAreThePrefixes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 10_000 {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], rng.Uint64())
		a := netip.AddrFrom16(b)
		if rng.IntN(2) == 0 {
			a = addr4(rng.Uint32())
		}
		longest := map[bool]int{true: 24, false: 48}[a.Is4()]
		p, err := a.Prefix(rng.IntN(longest + 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := keyOfPrefix(p).prefix(); got != p {
			t.Fatalf("%s became %s", p, got)
		}
		p, _ = a.Prefix(longest)
		if got := keyOf(a).prefix(); got != p {
			t.Fatalf("%s became %s, want %s", a, got, p)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, kind := range []struct {
		name string
		mask uint32
	}{{"all", 0}, {"one-in-32", 31}} {
		b.Run(kind.name, func(b *testing.B) {
			c := New()
			c.mask.Store(kind.mask)
			addrs := make([]netip.Addr, 1<<16)
			for i := range addrs {
				addrs[i] = addr4(rand.Uint32N(50_000) << 8)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(len(addrs)); pb.Next(); i++ {
					c.Add(addrs[i%len(addrs)])
				}
			})
		})
	}
}

func BenchmarkFreeze(b *testing.B) {
	c := New()
	for range 1 << 18 {
		c.Add(addr4(rand.Uint32()))
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Freeze()
	}
}

func BenchmarkTick(b *testing.B) {
	c := New()
	for range 1 << 18 {
		c.Add(addr4(rand.Uint32()))
	}
	now := epoch
	for b.Loop() {
		now = now.Add(time.Second)
		c.Tick(now)
	}
}
