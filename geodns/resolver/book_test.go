package resolver

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// world is a Book, edges, and browsers that fetch tokens.
type world struct {
	*Book
	edges []landfall.NodeID
	rng   *rand.Rand
	made  int
}

func newWorld(edges ...landfall.NodeID) *world {
	return &world{Book: New(), edges: edges, rng: rand.New(rand.NewPCG(7, 8))}
}

func (w *world) token() string {
	w.made++
	return fmt.Sprintf("token%016d", w.made)
}

// fetch lets clients of a network fetch so many tokens through a resolver, a
// second apart.
func (w *world) fetch(resolver, network string, n int) {
	p := netip.MustParsePrefix(network)
	for range n {
		token := w.token()
		told := w.Edge(token, w.edges)
		w.Asked(token, netip.MustParseAddr(resolver), told)
		time.Sleep(time.Second)
		w.Fetched(told, token, within(p, w.rng.Uint32()))
	}
}

// within is an address of a prefix.
func within(p netip.Prefix, host uint32) netip.Addr {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		n := binary.BigEndian.Uint32(b[:]) | host&(1<<(32-p.Bits())-1)
		binary.BigEndian.PutUint32(b[:], n)
		return netip.AddrFrom4(b)
	}
	b := p.Addr().As16()
	binary.BigEndian.PutUint32(b[12:], host)
	return netip.AddrFrom16(b)
}

func shares(v *View, resolver string) map[string]float64 {
	r, ok := v.Find(netip.MustParseAddr(resolver))
	if !ok {
		return nil
	}
	out := map[string]float64{}
	for _, c := range r.Clients {
		out[c.Prefix.String()] = math.Round(c.Weight*100) / 100
	}
	return out
}

var three = []landfall.NodeID{"fra1", "nyc1", "sin1"}

// The carrier's resolver is in Frankfurt, its clients are in Singapore.
func TestCarrierResolverIsWhereItsClientsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(three...)
		for i := range 8 {
			w.fetch("192.0.2.53", fmt.Sprintf("198.51.%d.0/24", i), 12)
		}
		r, ok := w.Freeze().Find(netip.MustParseAddr("192.0.2.53"))
		if !ok || len(r.Clients) != 8 {
			t.Fatalf("%+v, %v", r, ok)
		}
		for _, c := range r.Clients {
			if c.Prefix.Addr().As4()[0] != 198 || math.Abs(c.Weight-0.125) > 0.01 {
				t.Errorf("%v is %.3f of the clients", c.Prefix, c.Weight)
			}
		}
	})
}

func TestResolverOfTwoContinentsIsWeighted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(three...)
		for i := range 4 {
			w.fetch("2001:db8:53::1", fmt.Sprintf("198.51.%d.0/24", i), 30)    // Europe
			w.fetch("2001:db8:53::1", fmt.Sprintf("2001:db8:a%d::/48", i), 10) // America
		}
		r, ok := w.Freeze().Find(netip.MustParseAddr("2001:db8:53::1"))
		if !ok {
			t.Fatal("nothing is known")
		}
		europe := 0.0
		for _, c := range r.Clients {
			if c.Prefix.Addr().Is4() {
				europe += c.Weight
			}
		}
		if math.Abs(europe-0.75) > 0.01 {
			t.Errorf("%.3f of the clients are in Europe, want 0.75", europe)
		}
	})
}

func TestClientsThatMoveAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(three...)
		w.Tick(time.Now())
		day := func(network string) {
			for range 24 {
				for i := range 5 {
					w.fetch("192.0.2.53", fmt.Sprintf(network, i), 3)
				}
				time.Sleep(time.Hour)
				w.Tick(time.Now())
			}
		}
		moved := func() (sum float64) {
			for p, part := range shares(w.Freeze(), "192.0.2.53") {
				if netip.MustParsePrefix(p).Addr().As4()[0] == 203 {
					sum += part
				}
			}
			return sum
		}
		day("198.51.%d.0/24")
		if m := moved(); m != 0 {
			t.Errorf("%.2f have moved before they did", m)
		}
		day("203.0.%d.0/24")
		if m := moved(); m < 0.7 {
			t.Errorf("only %.2f are where all have been for two half-lives", m)
		}
		day("203.0.%d.0/24")
		day("203.0.%d.0/24")
		if m := moved(); m < 0.97 {
			t.Errorf("only %.2f are where all have been for six half-lives", m)
		}
		for range 10 {
			time.Sleep(24 * time.Hour)
			w.Tick(time.Now())
		}
		if v := w.Freeze(); v.Len() != 0 || w.Stats().Resolvers != 0 {
			t.Errorf("%d resolvers after ten days in which nobody fetched anything", w.Stats().Resolvers)
		}
	})
}

func TestTokenCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(three...)
		ns, client := netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("198.51.100.7")
		const a, b, c, d = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc", "dddddddddddddddd"
		w.Asked(a, ns, "fra1")
		w.Asked(a, netip.MustParseAddr("203.0.113.53"), "fra1") // says nothing new
		w.Asked(b, ns, "")
		w.Asked(c, ns, "fra1")
		w.Asked("short", ns, "")
		w.Asked(a, netip.Addr{}, "")
		w.Fetched("nyc1", a, client) // not the one that was named
		w.Fetched("fra1", a, client)
		w.Fetched("fra1", a, client)
		w.Asked(a, ns, "fra1")
		w.Fetched("fra1", a, client)
		w.Fetched("nyc1", b, client)
		w.Fetched("fra1", d, client)
		w.Fetched("fra1", c, netip.Addr{})
		w.Fetched("fra1", c, netip.IPv6Unspecified())
		w.Fetched("fra1", c, netip.MustParseAddr("224.0.0.1"))
		time.Sleep(wait + time.Second)
		w.Fetched("fra1", c, client)
		s := w.Stats()
		want := map[string]uint64{"flood": 0, "unknown": 1, "late": 1, "repeated": 2, "elsewhere": 1, "malformed": 5}
		if s.Joined != 2 || s.Asked != 5 || !maps.Equal(s.Dropped, want) || s.Resolvers != 1 {
			t.Errorf("%+v, want %v dropped", s, want)
		}
	})
}

// Who floods with tokens takes places of nobody but those in his own network,
// and nothing of what is known.
func TestFloodOfTokensIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(three...)
		for i := range 5 {
			w.fetch("192.0.2.53", fmt.Sprintf("198.51.%d.0/24", i), 10)
		}
		w.Asked("honest0123456789", netip.MustParseAddr("192.0.2.53"), "fra1")
		for range 100_000 {
			w.Asked(w.token(), netip.MustParseAddr("203.0.113.66"), "fra1")
		}
		w.Fetched("fra1", "honest0123456789", netip.MustParseAddr("198.51.0.1"))
		if s := w.Stats(); s.Joined != 51 || s.Dropped["flood"] < 100_000-2*pace {
			t.Errorf("%+v", s)
		}
		if got := shares(w.Freeze(), "192.0.2.53"); len(got) != 5 {
			t.Errorf("known after the flood: %v", got)
		}
	})
}

// A flood from all addresses of a /16 is one span's.
func TestFloodOfOneSpanIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(three...)
		w.Asked("honest0123456789", netip.MustParseAddr("192.0.2.53"), "fra1")
		for i := range 1 << 16 {
			w.Asked(w.token(), netip.AddrFrom4([4]byte{203, 0, byte(i), byte(i >> 8)}), "fra1")
			w.Asked(w.token(), netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i), byte(i >> 8)}), "fra1")
		}
		w.Fetched("fra1", "honest0123456789", netip.MustParseAddr("198.51.0.1"))
		if s := w.Stats(); s.Joined != 1 || s.Dropped["flood"] < 1<<17-4*span {
			t.Errorf("%+v", s)
		}
	})
}

func TestResolversMadeUpDoNotEvictTheKnown(t *testing.T) {
	b := New()
	client := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(i), 0}), 24)
	}
	rng := rand.New(rand.NewPCG(9, 10))
	for r := range 500 {
		for i := range 60 {
			b.add(netip.AddrFrom4([4]byte{10, 0, byte(r >> 8), byte(r)}), client(i%6), three[i%3], 1, rng.Float64())
		}
	}
	for range 4 * maxResolvers {
		var made [16]byte
		binary.BigEndian.PutUint64(made[:], rng.Uint64())
		b.add(netip.AddrFrom16(made), client(rng.IntN(6)), "fra1", 1, rng.Float64())
	}
	if n := b.Freeze().Len(); n != 500 {
		t.Errorf("%d of 500 known after the flood", n)
	}
	if s := b.Stats(); s.Resolvers != maxResolvers || s.Replaced == 0 {
		t.Errorf("%+v", s)
	}
}

func TestBookIsForManyAtOnce(t *testing.T) {
	b := New()
	dir := root(t)
	var running sync.WaitGroup
	for g := range 4 {
		running.Go(func() {
			for i := range 2000 {
				token := fmt.Sprintf("goroutine%dtoken%08d", g, i)
				b.Asked(token, netip.AddrFrom4([4]byte{10, byte(g), byte(i >> 8), byte(i)}), "")
				b.Fetched(three[i%3], token, netip.AddrFrom4([4]byte{198, 51, byte(i), 1}))
				b.Fetched(three[i%3], token, netip.AddrFrom4([4]byte{198, 51, byte(i), 1}))
			}
		})
	}
	running.Go(func() {
		for range 20 {
			b.Tick(time.Now())
			b.Freeze()
			if err := b.Save(dir, "resolvers", time.Now()); err != nil {
				t.Error(err)
			}
		}
	})
	running.Wait()
	if s := b.Stats(); s.Joined == 0 || s.Joined+s.Dropped["flood"] < 8000*9/10 || s.Dropped["repeated"] < s.Joined {
		t.Errorf("%+v", s)
	}
}

func BenchmarkAsked(b *testing.B) {
	book := New()
	tokens := make([]string, 1<<16)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("benchmark%08d", i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(len(tokens)); pb.Next(); i++ {
			a := uint32(i) * 2654435761
			book.Asked(tokens[i%len(tokens)], netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}), "fra1")
		}
	})
}

func BenchmarkFreeze(b *testing.B) {
	book := New()
	rng := rand.New(rand.NewPCG(1, 1))
	for r := range maxResolvers {
		for i := range 300 {
			book.add(netip.AddrFrom4([4]byte{10, 0, byte(r >> 8), byte(r)}),
				netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(i), 0}), 24), three[i%3], 1, rng.Float64())
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		book.Freeze()
	}
}
