package locate

import (
	"net/netip"
	"testing"

	"landfall"
)

// naive answers from a list of networks, the last of the longest winning,
// databases below overrides.
type naive struct {
	rows []network
	over Overrides
}

func (n naive) locate(a netip.Addr) string {
	best, city := -1, ""
	for p, loc := range n.over {
		if p.Contains(a) && p.Bits() > best {
			best, city = p.Bits(), loc.City
		}
	}
	if best >= 0 {
		return city
	}
	for _, r := range n.rows {
		if p := netip.MustParsePrefix(r.prefix); p.Contains(a) {
			city = r.city // later rows lie over earlier ones
		}
	}
	return city
}

// FuzzLocate makes a database and overrides out of bytes, and holds the Table
// against a list of networks: the same everywhere in the prefix, and not the
// same throughout any wider one.
func FuzzLocate(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 8, 0, 1, 2, 128, 0, 9, 1}, []byte{1, 2, 3, 4})
	f.Add([]byte{0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 16, 5, 9, 9, 9, 9, 32, 6}, []byte{9, 9, 9, 8})
	f.Add([]byte{10, 0, 0, 0, 8, 0x40, 10, 1, 0, 0, 16, 0x81, 10, 1, 1, 0, 24, 0x42}, []byte{10, 1, 1, 1})
	f.Fuzz(func(t *testing.T, layout, probe []byte) {
		world := naive{rows: []network{{"192.0.2.0/24", at(0, 1), "XX", "", "somewhere"}}, over: Overrides{}}
		for ; len(layout) >= 6 && len(world.rows)+len(world.over) < 12; layout = layout[6:] {
			world.put(layout[:6])
		}
		table := load(t, world.rows, world.over)
		for ; len(probe) >= 4; probe = probe[4:] {
			check(t, table, world, netip.AddrFrom4([4]byte(probe)))
			check(t, table, world, wide([4]byte(probe)))
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
	city := [4]string{"A", "B", "C", "D"}[b[5]&3]
	place := landfall.Place{Lat: float64(b[5] & 3), Lon: 10}
	if b[5]&0x40 != 0 {
		n.over[p] = landfall.Location{Known: true, Place: place, City: "our " + city}
		return
	}
	n.rows = append(n.rows, network{p.String(), &place, "XX", "", city})
}

// wide spreads four bytes over an IPv6 address, so that lengths of all sizes
// matter.
func wide(b [4]byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20 | b[0]>>3, b[0], b[1], 7: b[1], 8: b[2], 15: b[3]})
}

func check(t *testing.T, table *Table, world naive, a netip.Addr) {
	t.Helper()
	loc, p := table.Locate(a)
	if want := world.locate(a); loc.City != want || loc.Known != (want != "") {
		t.Fatalf("%v: %q, want %q", a, loc.City, want)
	}
	if !p.Contains(a) || p != p.Masked() {
		t.Fatalf("%v: prefix %v", a, p)
	}
	if !world.same(p, loc.City) {
		t.Fatalf("%v: not all of %v is %q", a, p, loc.City)
	}
	if p.Bits() > 0 && world.same(netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked(), loc.City) {
		t.Fatalf("%v: %v could be wider", a, p)
	}
}

// same reports whether all of p is one city: what can differ begins or ends
// with a network.
func (n naive) same(p netip.Prefix, city string) bool {
	edges := []netip.Addr{p.Addr()}
	note := func(q netip.Prefix) {
		edges = append(edges, q.Addr(), last(q).Next())
	}
	for _, r := range n.rows {
		note(netip.MustParsePrefix(r.prefix))
	}
	for q := range n.over {
		note(q)
	}
	for _, e := range edges {
		if e.IsValid() && p.Contains(e) && n.locate(e) != city {
			return false
		}
	}
	return true
}

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
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
		table, err := Load(data, nil)
		if err != nil {
			return
		}
		for _, a := range []string{"1.64.0.0", "255.255.255.255", "2400:1::", "::"} {
			addr := netip.MustParseAddr(a)
			if loc, p := table.Locate(addr); !p.Contains(addr) || loc.Known && !loc.Place.Valid() {
				t.Fatalf("%v: %v in %v", addr, loc, p)
			}
		}
	})
}
