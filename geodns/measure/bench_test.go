package measure

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"landfall"
)

// fixed is a Locator that has everybody at one place.
type fixed landfall.Location

func (f fixed) Locate(netip.Addr) (landfall.Location, netip.Prefix) {
	return landfall.Location(f), netip.Prefix{}
}

// crowd are samples of a number of prefixes.
func crowd(prefixes int, now time.Time) []landfall.Sample {
	var out []landfall.Sample
	for i := range prefixes {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(0x0b000000+i*256))
		out = append(out, landfall.Sample{Prefix: netip.PrefixFrom(netip.AddrFrom4(a), 24), RTT: time.Duration(20+i%100) * time.Millisecond, Count: 10, When: now})
	}
	return out
}

func BenchmarkAdd(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	book, err := New(Config{Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	book.SetMap(testMap())
	samples := crowd(DefaultPrefixes, now)
	b.ReportAllocs()
	for b.Loop() {
		book.Add("fra", samples)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(samples)), "ns/sample")
}

func BenchmarkFreeze(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	book, err := New(Config{Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	m := testMap()
	book.SetMap(m)
	w := World{Map: m, Prior: Nearest(m, fixed{Known: true, Place: landfall.Place{Lat: 50, Lon: 8}})}
	samples := crowd(DefaultPrefixes, now)
	for i, n := range m.Nodes { // so that every edge has measured everybody
		for range enoughWindows {
			w.Prior = only(Nearest(m, fixed{Known: true, Place: m.Regions[i].Place}), 1)
			book.Freeze(w)
			for i := range samples {
				samples[i].When = now
			}
			book.Add(n.ID, samples)
			now = now.Add(DefaultEpoch / enoughWindows)
		}
	}
	w.Prior = Nearest(m, fixed{Known: true, Place: landfall.Place{Lat: 50, Lon: 8}})
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(DefaultEpoch)
		book.Freeze(w)
	}
}

// only cuts guesses to the first.
func only(prior func(netip.Prefix) []Guess, n int) func(netip.Prefix) []Guess {
	return func(p netip.Prefix) []Guess { return prior(p)[:n] }
}
