package locate

import (
	"net/netip"
	"testing"

	"landfall"
	"landfall/geodns/prefix"
)

// naive answers from a list of networks, the last of the longest winning,
// databases below overrides.
type naive struct {
	rows []network
	over []landfall.Override
}

func (n naive) locate(a netip.Addr) landfall.Place {
	if v4, _, ok := prefix.Fold(a); ok {
		a = v4
	}
	best, place := -1, landfall.Place{}
	for _, o := range n.over {
		if o.Prefix.Contains(a) && o.Prefix.Bits() >= best {
			best, place = o.Prefix.Bits(), o.Place
		}
	}
	if best >= 0 {
		return place
	}
	for _, r := range n.rows {
		if p := netip.MustParsePrefix(r.prefix); p.Contains(a) {
			place = *r.place // later rows lie over earlier ones
		}
	}
	return place
}

// FuzzLocate makes a database and overrides out of bytes, and holds the Table
// against a list of networks: the same everywhere in the prefix, and not the
// same throughout any wider one.
func FuzzLocate(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 8, 0, 1, 2, 128, 0, 9, 1}, []byte{1, 2, 3, 4})
	f.Add([]byte{0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 16, 5, 9, 9, 9, 9, 32, 6}, []byte{9, 9, 9, 8})
	f.Add([]byte{10, 0, 0, 0, 8, 0x40, 10, 1, 0, 0, 16, 0x81, 10, 1, 1, 0, 24, 0x42}, []byte{10, 1, 1, 1})
	f.Fuzz(func(t *testing.T, layout, probe []byte) {
		world := naive{rows: []network{{prefix: "192.0.2.0/24", place: at(0, 1)}}}
		for ; len(layout) >= 6 && len(world.rows)+len(world.over) < 12; layout = layout[6:] {
			world.put(layout[:6])
		}
		table := loaded(t, world.rows, world.over...)
		for ; len(probe) >= 4; probe = probe[4:] {
			check(t, table, world, netip.AddrFrom4([4]byte(probe)))
			check(t, table, world, wide([4]byte(probe)))
			for _, f := range folded(netip.AddrFrom4([4]byte(probe))) {
				check(t, table, world, f)
			}
		}
		for _, r := range world.rows {
			check(t, table, world, netip.MustParsePrefix(r.prefix).Addr())
		}
	})
}

// put adds a network: four bytes of address, one of length, one that says
// which family, whether it is an override, and which of four places.
func (n *naive) put(b []byte) {
	addr := netip.AddrFrom4([4]byte(b))
	bits := int(b[4]) % 33
	if b[5]&0x80 != 0 {
		addr, bits = wide([4]byte(b)), int(b[4])%129
	}
	p := netip.PrefixFrom(addr, bits).Masked()
	// Some of IPv6 stands for IPv4 (the beginning, Teredo, 6to4) or is reserved
	// (documentation), and databases leave it out; the list knows nothing of that.
	for _, apart := range []string{"::/3", "2000::/14", "3fff::/16"} {
		if p.Addr().Is6() && p.Overlaps(netip.MustParsePrefix(apart)) {
			return
		}
	}
	place := landfall.Place{Lat: float64(b[5] & 3), Lon: 10}
	if b[5]&0x40 != 0 {
		n.over = append(n.over, landfall.Override{Prefix: p, Place: landfall.Place{Lat: place.Lat, Lon: 20}})
		return
	}
	n.rows = append(n.rows, network{prefix: p.String(), place: &place})
}

// folded are the IPv6 addresses that hold an IPv4 address.
func folded(a netip.Addr) []netip.Addr {
	b := a.As4()
	return []netip.Addr{
		netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}),
		netip.AddrFrom16([16]byte{1: 0x64, 2: 0xff, 3: 0x9b, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}),
		netip.AddrFrom16([16]byte{0x20, 0x02, b[0], b[1], b[2], b[3]}),
	}
}

// wide spreads four bytes over an IPv6 address, so that lengths of all sizes
// matter.
func wide(b [4]byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20 | b[0]>>3, b[0], b[1], 7: b[1], 8: b[2], 15: b[3]})
}

func check(t *testing.T, table *Table, world naive, a netip.Addr) {
	t.Helper()
	loc, p := table.Locate(a)
	if want := world.locate(a); loc.Place != want || loc.Known != (want != landfall.Place{}) {
		t.Fatalf("%v: %v, want %v", a, loc.Place, want)
	}
	if !p.Contains(a) || p != p.Masked() {
		t.Fatalf("%v: prefix %v", a, p)
	}
	if !world.same(p, loc.Place) {
		t.Fatalf("%v: not all of %v is %v", a, p, loc.Place)
	}
	if p.Bits() > 0 && world.same(netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked(), loc.Place) {
		t.Fatalf("%v: %v could be wider", a, p)
	}
}

// same reports whether all of p is one place: what can differ begins or ends
// with a network.
func (n naive) same(p netip.Prefix, place landfall.Place) bool {
	edges := []netip.Addr{p.Addr(), netip.MustParseAddr("2003::"), netip.MustParseAddr("64:ff9b::1:0:0"), netip.MustParseAddr("0:0:0:0:1::")}
	edges = append(edges, folded(netip.IPv4Unspecified())...)
	note := func(q netip.Prefix) {
		for _, a := range []netip.Addr{q.Addr(), prefix.Last(q).Next()} {
			if edges = append(edges, a); a.Is4() {
				edges = append(edges, folded(a)...)
			}
		}
	}
	for _, r := range n.rows {
		note(netip.MustParsePrefix(r.prefix))
	}
	for _, o := range n.over {
		note(o.Prefix)
	}
	for _, e := range edges {
		if e.IsValid() && p.Contains(e) && n.locate(e) != place {
			return false
		}
	}
	return true
}

// FuzzLoad gives damaged files: each is an error or a Table, and a Table can
// be asked.
func FuzzLoad(f *testing.F) {
	for _, version := range []int{4, 6} {
		whole := makeDB(f, "Test-City", version, testNetworks())
		f.Add(whole)
		f.Add(whole[:len(whole)-7])
	}
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if table, err := Load(Data{Places: data}, nil); err == nil {
			ask(t, table)
		}
	})
}

// FuzzNetworks does the same with databases of networks.
func FuzzNetworks(f *testing.F) {
	places := makeDB(f, "Test-City", 6, testNetworks())
	for _, version := range []int{4, 6} {
		whole := makeDB(f, "Test-ASN", version, testNumbers())
		f.Add(whole)
		f.Add(whole[:len(whole)-7])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if table, err := Load(Data{Places: places, Networks: data}, []landfall.Override{overASN(64500, oslo(), "")}); err == nil {
			ask(t, table)
		}
	})
}

func ask(t *testing.T, table *Table) {
	t.Helper()
	for _, a := range []string{"1.64.0.0", "255.255.255.255", "2400:1::", "2002::", "::"} {
		addr := netip.MustParseAddr(a)
		if loc, p := table.Locate(addr); !p.Contains(addr) || loc.Known && !loc.Place.Valid() {
			t.Fatalf("%v: %v in %v", addr, loc, p)
		}
	}
}
