package prefix

import "net/netip"

// fold is a part of IPv6 whose addresses hold an IPv4 address.
type fold struct {
	first six
	shift int // bits before the IPv4 address
}

// folds are all such parts, in order.
func folds() [3]fold {
	return [3]fold{
		{six{0, 0xffff << 32}, 96},     // ::ffff:0:0/96
		{six{0x0064ff9b << 32, 0}, 96}, // 64:ff9b::/96
		{six{0x2002 << 48, 0}, 16},     // 2002::/16
	}
}

// Fold finds the IPv4 address that stands for an IPv6 address, and how many
// bits are before it: mapped addresses (RFC 4291, 2.5.5.2), 6to4 (RFC 3056, 2)
// and NAT64 under its well-known prefix (RFC 6052, 2.1). Addresses of
// 64:ff9b:1::/48 (RFC 8215) do not tell where in them the IPv4 address is: it
// is left to each network, which alone can see them.
func Fold(a netip.Addr) (v4 netip.Addr, shift int, ok bool) {
	if !a.Is6() {
		return netip.Addr{}, 0, false
	}
	in, shift, ok := sixOf(a).fold()
	if !ok {
		return netip.Addr{}, 0, false
	}
	return in.addr(), shift, true
}

func (k six) fold() (in four, shift int, ok bool) {
	switch {
	case k.hi>>48 == 0x2002:
		return four(k.hi >> 16), 16, true
	case k.hi == 0 && k.lo>>32 == 0xffff, k.hi == 0x0064ff9b<<32 && k.lo>>32 == 0:
		return four(k.lo), 96, true
	}
	return 0, 0, false
}

// setApart makes runs of their own of the parts that hold IPv4. They carry
// the first label of IPv4, which is theirs where IPv4 has only one; then they
// join their neighbours.
func setApart(runs runsOf[six], v4 runsOf[four]) runsOf[six] {
	apart := len(v4) > 1
	out := make(runsOf[six], 0, len(runs)+6)
	label := uint32(0) // of the last of runs that was taken
	for _, f := range folds() {
		for len(runs) > 0 && runs[0].start.less(f.first) {
			label = runs[0].label
			out.add(runs[0].start, label)
			runs = runs[1:]
		}
		out.put(f.first, v4[0].label, apart)
		after := f.first.after(f.shift)
		for len(runs) > 0 && !after.less(runs[0].start) {
			label, runs = runs[0].label, runs[1:]
		}
		out.put(after, label, apart)
	}
	for _, r := range runs {
		out.add(r.start, r.label)
	}
	return out
}
