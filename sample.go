package landfall

import (
	"net/netip"
	"time"
)

// Sample is one observation of how far the clients of a prefix are from an
// edge.
type Sample struct {
	Prefix netip.Prefix  `json:"prefix"` // the clients: an IPv4 /24 or an IPv6 /48
	Edge   NodeID        `json:"edge"`   // who measured
	RTT    time.Duration `json:"rtt"`    // the smallest round-trip time seen in the window, in nanoseconds
	Count  uint32        `json:"count"`  // connections behind it
	When   time.Time     `json:"when"`   // end of the window
}

// ClientPrefix is the prefix whose clients are measured together with an
// address: the /24 of IPv4, the /48 of IPv6. The zero Prefix stands for an
// address that is neither.
func ClientPrefix(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
