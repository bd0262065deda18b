package atlas

import "net/netip"

// Oracle knows for every address what it ought to be told, and the widest
// prefix around it of which the same is true, by a binary tree with a node for
// every bit: slow, large, and nothing like what it is held against.
type Oracle struct{ v4, v6 *twig }

// twig is a prefix.
type twig struct {
	half  [2]*twig
	said  bool // a leaf is here
	label int  // what is said here or, in the end, of all addresses below
	mixed bool // not all addresses below have one label
	apart bool // IPv4 lives here: a world of its own
}

// inside are the parts of IPv6 that IPv4 lives in: mapped addresses
// (RFC 4291, 2.5.5.2), 6to4 (RFC 3056, 2) and NAT64 (RFC 6052, 2.1). What is
// asked about there is IPv4; all that counts here is that no prefix beside
// them may hold them, too.
func inside() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("::ffff:0:0/96"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("64:ff9b::/96"),
	}
}

// NewOracle labels the leaves of a world, and all other addresses with other.
func NewOracle(w *World, label func(Leaf) int, other int) *Oracle {
	o := &Oracle{&twig{}, &twig{}}
	for _, l := range w.all() {
		t := o.grow(l.Prefix)
		t.said, t.label = true, label(l)
	}
	for _, p := range inside() {
		o.grow(p).apart = true
	}
	o.v4.settle(other)
	o.v6.settle(other)
	return o
}

// grow makes the way to a prefix.
func (o *Oracle) grow(p netip.Prefix) *twig {
	t, b := o.tree(p.Addr())
	for i := range p.Bits() {
		next := &t.half[b[i/8]>>(7-i%8)&1]
		if *next == nil {
			*next = &twig{}
		}
		t = *next
	}
	return t
}

// tree is the family of an address, and its bits.
func (o *Oracle) tree(a netip.Addr) (*twig, []byte) {
	if a.Is4() {
		return o.v4, a.AsSlice()
	}
	return o.v6, a.AsSlice()
}

// settle spreads what is said of a prefix to all below of which nothing else
// is, and finds where all below are alike.
func (t *twig) settle(above int) {
	if !t.said {
		t.label = above
	}
	if t.half[0] == nil && t.half[1] == nil {
		t.mixed = t.apart
		return
	}
	own := t.label
	for i := range t.half {
		if t.half[i] == nil {
			t.half[i] = &twig{}
		}
		t.half[i].settle(own)
	}
	a, b := t.half[0], t.half[1]
	if t.mixed = a.mixed || b.mixed || a.label != b.label; !t.mixed {
		t.label = a.label
	}
}

// Ask is what an address is told, and the length of the prefix. It does not
// know of IPv6 addresses that stand for IPv4.
func (o *Oracle) Ask(a netip.Addr) (label, bits int) {
	t, b := o.tree(a)
	for t.mixed && !t.apart {
		t = t.half[b[bits/8]>>(7-bits%8)&1]
		bits++
	}
	return t.label, bits
}
