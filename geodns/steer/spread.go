package steer

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math"
	"net/netip"
	"slices"
)

// SpreadEpochs is how many epochs pass until the edges at one place draw anew
// for a prefix. Each prefix has a phase of its own, so that in any one epoch
// one in SpreadEpochs of them draws: no prefix is bound to an edge for ever,
// and resolvers' caches hardly notice.
const SpreadEpochs = 1024

// Bounds of the prefix that a draw is for. A draw for more addresses would
// leave the edges' parts uneven; for fewer, resolvers would have to keep
// apart what belongs together.
const (
	widest4, narrowest4 = 12, 16
	widest6, narrowest6 = 24, 32
	// Registries give nobody more than an IPv6 /12: of what is wider nothing
	// is known, and it is divided into larger parts.
	registry6, unknown6 = 12, 16
)

// SpreadPrefix is the prefix whose clients draw together with an address, if
// leaf is the length of the widest prefix around the address that has one place.
// That prefix itself draws, but no more than an IPv4 /12 or IPv6 /24 of it (a
// /16 where nothing is known), and no less than a /16 or /32. Where nobody is
// (outside 2000::/3) all of it draws as one.
func SpreadPrefix(a netip.Addr, leaf int) netip.Prefix {
	a = a.Unmap().WithZone("")
	n := min(max(leaf, widest4), narrowest4)
	if a.Is6() {
		widest := widest6
		if leaf < registry6 {
			widest = unknown6
		}
		n = min(max(leaf, widest), narrowest6)
		if first := a.As16()[0]; first>>5 != 1 && leaf < n {
			n = leaf
		}
	}
	p, _ := a.Prefix(n) // the zero Addr: the zero Prefix
	return p
}

// Draw is the order that edges at one place drew for a prefix: for each edge,
// by index, its position there. The empty Draw is by id. Draws are equal if
// the orders are.
type Draw string

func (d Draw) position(edge int) int {
	if d == "" {
		return 0
	}
	return int(d[2*edge])<<8 | int(d[2*edge+1])
}

// Ties reports whether any two edges stand at one place, so that they draw.
func (r *Ranker) Ties() bool { return len(r.ties) > 0 }

// Draws is how many different draws there can be: a float, for it is a
// product of factorials.
func (r *Ranker) Draws() float64 {
	out := 1.0
	for _, tie := range r.ties {
		out *= math.Gamma(float64(len(tie) + 1))
	}
	return out
}

// Lots are what a prefix drew, before anybody looked who comes first: where
// many edges stand at one place most never need to know. 0 is nobody's.
type Lots uint64

// Lots are those of a prefix; nobody draws for the zero Prefix.
func (r *Ranker) Lots(p netip.Prefix, epoch uint64) Lots {
	if len(r.ties) == 0 || !p.IsValid() {
		return 0
	}
	key := r.key(p)
	return Lots(mix(key ^ (epoch+key%SpreadEpochs)/SpreadEpochs))
}

// Lot is that of one edge: at each place the edge with the smallest comes
// first, of equal ones the first by id. It is a rendezvous hash by weight, so
// that each is first for its part of all prefixes, and when one goes only its
// prefixes find others.
func (r *Ranker) Lot(l Lots, edge int) float64 {
	if l == 0 {
		return 0
	}
	// The smaller of exponential variables with rates a and b is the first
	// with probability a/(a+b).
	u := (float64(mix(uint64(l)^r.salts[edge])>>11) + 0.5) / (1 << 53)
	return -math.Log(u) / r.weights[edge]
}

// Draw puts the edges at each place in the order of their lots.
func (r *Ranker) Draw(p netip.Prefix, epoch uint64) Draw {
	lots := r.Lots(p, epoch)
	if lots == 0 {
		return ""
	}
	order := make([]byte, 2*len(r.edges))
	for _, tie := range r.ties {
		type drawn struct {
			edge int
			lot  float64
		}
		all := make([]drawn, len(tie))
		for i, e := range tie {
			all[i] = drawn{e, r.Lot(lots, e)}
		}
		slices.SortFunc(all, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.lot, b.lot), a.edge-b.edge) })
		for i, d := range all {
			binary.BigEndian.PutUint16(order[2*d.edge:], uint16(min(i, math.MaxUint16)))
		}
	}
	return Draw(order)
}

// key is a number of the network and a prefix that looks like any other.
func (r *Ranker) key(p netip.Prefix) uint64 {
	a := p.Addr().As16()
	k := mix(r.salt ^ binary.BigEndian.Uint64(a[:8]))
	k = mix(k ^ binary.BigEndian.Uint64(a[8:]))
	return mix(k ^ uint64(p.Bits()+1))
}

// hash is a number for a name.
func hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return mix(h.Sum64())
}

// mix makes all bits depend on all bits, as the last step of SplitMix64 does.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
