package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"runtime"

	"landfall/bench/atlas"
	"landfall/geodns/prefix"
)

// questions is how many addresses are looked up in a row: too many for the
// processor to learn the way.
const questions = 1 << 20

// lookups are the figures of one table.
type lookups struct {
	v4, v4leaf sample // nanoseconds
	v6, v6leaf sample
	bytes      sample
	build      sample // milliseconds
	v4n, v6n   int
}

// dnsLookup measures the table of prefixes that every answer is looked up in.
func dnsLookup(ctx context.Context, o options, table, progress io.Writer) error {
	var l lookups
	for seed := range uint64(o.worlds) {
		w, err := atlas.New(seed + 1)
		if err != nil {
			return err
		}
		var leaves []prefix.Leaf
		w.Labels(func(p atlas.Leaf, label uint32) { leaves = append(leaves, prefix.Leaf{Prefix: p.Prefix, Label: label}) })
		r := rand.New(rand.NewPCG(seed, 8))
		space, byLeaf, space6, byLeaf6 := bySpace(r), within(r, w.IPv4), bySpace6(r), within(r, w.IPv6)
		for i := range o.rounds {
			if err := ctx.Err(); err != nil {
				return err
			}
			fmt.Fprintf(progress, "world %d, round %d of %d: %d leaves\n", seed+1, i+1, o.rounds, len(leaves))
			runtime.GC()
			begun := busy()
			t := prefix.Build(leaves)
			l.build.add(since(begun))
			l.bytes.add(float64(t.Bytes()) / (1 << 20))
			l.v4n, l.v6n = t.Len()
			l.v4.add(each(t, space))
			l.v4leaf.add(each(t, byLeaf))
			l.v6.add(each(t, space6))
			l.v6leaf.add(each(t, byLeaf6))
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Looking addresses up: medians of %d rounds in each of %d worlds (smallest – largest)\n%s\n\n", o.rounds, o.worlds, machine(o.root))
	fmt.Fprintf(&b, "%d IPv4 and %d IPv6 leaves in the last\n", l.v4n, l.v6n)
	row(&b, "IPv4, drawn by address space", l.v4, "ns", 1, "at most 15 ns")
	row(&b, "IPv4, every leaf as likely", l.v4leaf, "ns", 1, "at most 15 ns")
	row(&b, "IPv6, drawn by address space", l.v6, "ns", 1, "at most 40 ns")
	row(&b, "IPv6, every leaf as likely", l.v6leaf, "ns", 1, "at most 40 ns")
	row(&b, "the table", l.bytes, "MB", 2, "at most 8 MiB")
	row(&b, "built in", l.build, "ms", 1, "")
	_, err := table.Write(b.Bytes())
	return err
}

// each is how many nanoseconds a look-up takes.
func each(t *prefix.Table, addrs []netip.Addr) float64 {
	var sum uint32
	begun := busy()
	for _, a := range addrs {
		label, bits := t.Lookup(a)
		sum += label + uint32(bits)
	}
	took := busy() - begun
	runtime.KeepAlive(sum)
	return float64(took.Nanoseconds()) / float64(len(addrs))
}

// bySpace draws from all of unicast IPv4.
func bySpace(r *rand.Rand) []netip.Addr {
	out := make([]netip.Addr, questions)
	for i := range out {
		out[i] = netip.AddrFrom4([4]byte{byte(1 + r.IntN(223)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
	}
	return out
}

// bySpace6 draws from all of unicast IPv6 that is given out (RFC 4291, 2.4).
func bySpace6(r *rand.Rand) []netip.Addr {
	out := make([]netip.Addr, questions)
	for i := range out {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], r.Uint64()>>3|1<<61)
		binary.BigEndian.PutUint64(b[8:], r.Uint64())
		out[i] = netip.AddrFrom16(b)
	}
	return out
}

// within draws leaves, and an address in each.
func within(r *rand.Rand, leaves []atlas.Leaf) []netip.Addr {
	out := make([]netip.Addr, questions)
	for i := range out {
		p := leaves[r.IntN(len(leaves))].Prefix
		b := p.Addr().AsSlice()
		for bit := p.Bits(); bit < 8*len(b); bit++ {
			b[bit/8] |= byte(r.IntN(2)) << (7 - bit%8)
		}
		out[i], _ = netip.AddrFromSlice(b)
	}
	return out
}
