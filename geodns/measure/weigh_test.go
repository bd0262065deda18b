package measure

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"landfall"
)

// Somebody asks millions of times in the names of a few prefixes, so that all
// others seem small to the cap.
func TestInflatedCountsDoNotLiftTheCap(t *testing.T) {
	const prefixes = 200
	for _, inflated := range []int{0, 1, 150} {
		now := time.Unix(1_800_000_000, 0)
		b, err := New(Config{Now: func() time.Time { return now }, Explore: -1})
		if err != nil {
			t.Fatal(err)
		}
		index := func(p netip.Prefix) int { a := p.Addr().As4(); return int(binary.BigEndian.Uint16(a[1:3])) }
		w := World{
			Map:   testMap(),
			Prior: func(netip.Prefix) []Guess { return []Guess{{Edge: "fra", RTT: 20e6}, {Edge: "nyc", RTT: 50e6}} },
			Weight: func(p netip.Prefix) float64 {
				if index(p) >= prefixes {
					return 1e6
				}
				return 1
			},
		}
		b.SetMap(w.Map)
		led := 0
		for range 60 {
			for i := range prefixes + inflated {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{81, byte(i >> 8), byte(i), 0}), 24)
				b.Add("fra", []landfall.Sample{{Prefix: p, RTT: 60 * time.Millisecond, Count: 10, When: now}})
				if i < prefixes {
					b.Add("nyc", []landfall.Sample{{Prefix: p, RTT: 30 * time.Millisecond, Count: 10, When: now}})
				}
			}
			led = 0
			for v := range b.Freeze(w).All() {
				if len(v.Order) > 0 && v.Order[0] == "nyc" && index(v.Prefix) < prefixes {
					led++
				}
			}
			now = now.Add(DefaultEpoch)
		}
		if most := int(DefaultCap * landfall.Share(prefixes+inflated)); led == 0 || led > most {
			t.Errorf("%d inflated: nyc leads %d of %d prefixes, want 1 to %d", inflated, led, prefixes, most)
		}
	}
}

func TestNoPrefixIsMoreThanAClip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		rows := make([]row, 1+rng.IntN(400))
		for i := range rows {
			rows[i].weight = math.Exp(5 * rng.NormFloat64())
		}
		rows[0].weight = 0
		weigh(rows)
		var sums parts
		for i := range rows {
			sums.add(1, rows[i].parts)
			if few := 1 / max(float64(len(rows)-1), 1); rows[i].parts[byClipped] > max(clip, few)+1e-9 {
				t.Fatalf("one of %d is %v of all", len(rows), rows[i].parts)
			}
		}
		for _, sum := range sums {
			if len(rows) > 1 && math.Abs(sum-1) > 0.011 {
				t.Fatalf("parts make %v", sums)
			}
		}
	}
	even := []row{{weight: 3}, {weight: 3}, {weight: 3}, {weight: 3}}
	if weigh(even); even[0].parts != (parts{0.25, 0.25, 0.25}) {
		t.Fatalf("four alike are %v each", even[0].parts)
	}
}
