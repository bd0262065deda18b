package prefix

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// lengths are shares of prefix lengths, in percent.
type lengths []struct{ bits, percent int }

func (l lengths) draw(r *rand.Rand) int {
	n := r.IntN(100)
	for _, s := range l {
		if n -= s.percent; n < 0 {
			return s.bits
		}
	}
	return l[len(l)-1].bits
}

// crowded draws a table with about 180,000 leaves of each family, and half as
// many runs of IPv4: most of the space is in few hands, and a small part of it
// in very many.
func crowded(seed uint64) []Leaf {
	r := rand.New(rand.NewPCG(seed, 2))
	short := lengths{{24, 45}, {23, 11}, {22, 16}, {21, 9}, {20, 9}, {19, 4}, {18, 2}, {27, 2}, {29, 1}, {32, 1}}
	long := lengths{{32, 45}, {29, 20}, {36, 3}, {40, 5}, {44, 5}, {48, 19}, {64, 2}, {128, 1}}
	var out []Leaf
	label := uint32(1)
	add := func(p netip.Prefix) {
		if r.IntN(2) == 0 {
			label = 1 + r.Uint32N(250)
		}
		out = append(out, Leaf{p.Masked(), label})
	}
	for h := uint32(0x0100); h < 0xe000; h++ {
		if r.IntN(24) > 0 {
			add(four(h << 16).prefix(16))
			continue
		}
		for k := four(h << 16); uint32(k>>16) == h; {
			p := k.prefix(short.draw(r)).Masked()
			add(p)
			k = fourOf(p.Addr()).after(p.Bits())
		}
	}
	for range 17_000 {
		hi := (0x2400+uint64(r.IntN(5))*0x0200)<<48 | r.Uint64()&(1<<52-1)
		if r.IntN(4) > 0 {
			hi &^= 0xf << 48
		}
		add(six{hi, r.Uint64()}.prefix(long.draw(r)))
	}
	return out
}

// probes are addresses drawn by space and by leaf.
func probes(t *Table) map[string][]netip.Addr {
	r := rand.New(rand.NewPCG(3, 3))
	within := func(p netip.Prefix) netip.Addr {
		if p.Addr().Is4() {
			return (fourOf(p.Addr()) | four(uint64(r.Uint32())>>p.Bits())).addr()
		}
		k := sixOf(p.Addr())
		if p.Bits() >= 64 {
			return six{k.hi, k.lo | r.Uint64()>>(p.Bits()-64)}.addr()
		}
		return six{k.hi | r.Uint64()>>p.Bits(), r.Uint64()}.addr()
	}
	var leaves4, leaves6 []netip.Prefix
	for p := range t.All() {
		if p.Addr().Is4() {
			leaves4 = append(leaves4, p)
		} else {
			leaves6 = append(leaves6, p)
		}
	}
	out := map[string][]netip.Addr{}
	for range 1 << 16 {
		out["4/space"] = append(out["4/space"], four(r.Uint32()).addr())
		out["4/leaf"] = append(out["4/leaf"], within(leaves4[r.IntN(len(leaves4))]))
		out["6/space"] = append(out["6/space"], six{0x2000<<48 | r.Uint64()>>3, r.Uint64()}.addr())
		out["6/leaf"] = append(out["6/leaf"], within(leaves6[r.IntN(len(leaves6))]))
		b := netip.AddrFrom16([16]byte{0x20, 0x02, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		out["6/6to4"] = append(out["6/6to4"], b)
	}
	return out
}

func BenchmarkLookup(b *testing.B) {
	t := Build(crowded(1))
	v4, v6 := t.Len()
	all := probes(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		addrs := all[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var sum uint32
			for i := 0; b.Loop(); i++ {
				label, _ := t.Lookup(addrs[i&0xffff])
				sum += label
			}
			sink(sum)
			b.ReportMetric(float64(v4), "leaves4")
			b.ReportMetric(float64(v6), "leaves6")
			b.ReportMetric(float64(t.Bytes())/(1<<20), "MiB")
		})
	}
}

//go:noinline
func sink(uint32) {}

func BenchmarkBuild(b *testing.B) {
	leaves := crowded(1)
	for b.Loop() {
		Build(leaves)
	}
}

func BenchmarkBuildSorted(b *testing.B) {
	var leaves []Leaf
	for p, l := range Build(crowded(1)).All() {
		leaves = append(leaves, Leaf{p, l})
	}
	for b.Loop() {
		Build(leaves)
	}
}

func BenchmarkOrdered(b *testing.B) {
	t := Build(crowded(1))
	for b.Loop() {
		Ordered(t.All())
	}
}

func BenchmarkCross(b *testing.B) {
	x, y := Build(crowded(1)), Build(crowded(2))
	for b.Loop() {
		Cross(x, y, func(x, y uint32) uint32 { return x ^ y<<8 })
	}
}

func BenchmarkRelabel(b *testing.B) {
	x := Build(crowded(1))
	for b.Loop() {
		x.Relabel(func(l uint32) uint32 { return l % 8 })
	}
}

func BenchmarkAll(b *testing.B) {
	x := Build(crowded(1))
	for b.Loop() {
		for p, l := range x.All() {
			_, _ = p, l
		}
	}
}
