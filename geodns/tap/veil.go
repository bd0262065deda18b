package tap

import "net/netip"

// What is told of an address unless all of it is: enough to know the network,
// too little to know the line.
const (
	veil4 = 24
	veil6 = 48
)

// veil takes out of an event what is more than networks. A query that cannot be
// read might hold addresses anywhere, so that nothing of it is told.
func veil(s *slot) {
	s.Client = netip.AddrPortFrom(shorten(s.Client.Addr()), 0)
	if !veilSubnet(s.Query) {
		s.Query = nil
	}
	if !veilSubnet(s.Answer) {
		s.Answer = s.Answer[:min(len(s.Answer), headerSize)]
	}
}

func shorten(a netip.Addr) netip.Addr {
	bits := veil6
	if a.Is4() {
		bits = veil4
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Addr{} // it was none
	}
	return p.Addr()
}

// veilSubnet shortens the client subnet of a message where it stands, and
// reports whether it can be told where it stands. The length of its prefix
// stays: it is of interest, and of no person.
func veilSubnet(msg []byte) bool {
	m, ok := read(msg)
	if len(m.subnet) < 4 {
		return ok
	}
	keep := veil6 / 8
	if m.subnet[1] == 1 { // the family of IPv4
		keep = veil4 / 8
	}
	if address := m.subnet[4:]; len(address) > keep {
		clear(address[keep:])
	}
	return ok
}
