package server

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// outward are this machine's own addresses that its packets to the internet
// bear, one of each family at most. Nothing is sent to find out.
func outward() (out []netip.Addr) {
	for network, far := range map[string]string{"udp4": "198.18.0.1:9", "udp6": "[2001:2::1]:9"} { // RFC 2544, RFC 5180: nobody's
		c, err := net.Dial(network, far)
		if err != nil {
			continue // no way out in this family
		}
		a := netip.MustParseAddrPort(c.LocalAddr().String()).Addr().Unmap()
		c.Close()
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare) // IPv4 first
	return out
}

// own reports whether a socket can be bound to an address here.
func own(a netip.Addr) bool {
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(a, 0).String())
	if err == nil {
		c.Close()
	}
	return err == nil
}

// public reports whether users anywhere could reach an address.
func public(a netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) // between carriers and their customers (RFC 6598)
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// settle finds what a founding node advertises and what it binds. Addresses
// that the operator gave are advertised as they are; the listeners bind the
// machine's own address of that family where it does not have them.
func settle(given, ours []netip.Addr) (advertised, bound []netip.Addr, err error) {
	return settleWith(given, ours, own)
}

// settleWith is settle with its own way to tell whose an address is.
func settleWith(given, ours []netip.Addr, own func(netip.Addr) bool) (advertised, bound []netip.Addr, err error) {
	if len(given) == 0 {
		given = slices.DeleteFunc(slices.Clone(ours), func(a netip.Addr) bool { return !public(a) })
	}
	if len(given) == 0 {
		return nil, nil, fmt.Errorf("this server has no public address of its own (it has %v): behind NAT, give the one that users reach with --address", ours)
	}
	behind := false
	for _, a := range given {
		b := a
		if !own(a) {
			behind = true
			i := slices.IndexFunc(ours, func(o netip.Addr) bool { return o.Is4() == a.Is4() })
			if i < 0 {
				return nil, nil, fmt.Errorf("address %v is not one of this server's, and it has no other of that family to bind", a)
			}
			b = ours[i]
		}
		advertised = append(advertised, a)
		if !slices.Contains(bound, b) {
			bound = append(bound, b)
		}
	}
	if !behind {
		bound = nil
	}
	return advertised, bound, nil
}
