package join

import (
	"net/netip"
	"slices"
)

// class is who can reach an address.
type class uint8

const (
	nowhere  class = iota // nobody, or whoever is on one wire, or nobody can tell who
	loopback              // the machine itself
	private               // one network, or the customers of one carrier
	public                // everybody
)

func (c class) String() string {
	switch c {
	case loopback:
		return "the machine itself"
	case private:
		return "a private network"
	case public:
		return "the Internet"
	}
	return "no network"
}

// classOf goes by the registries of special addresses (RFC 6890). IPv6
// addresses with an IPv4 address inside are nowhere: translated or tunnelled,
// they could lead to any class.
func classOf(a netip.Addr) class {
	switch {
	case !a.IsValid() || a.Zone() != "" || a.Is4In6():
		return nowhere
	case a.IsLoopback():
		return loopback
	case a.IsPrivate() || inAny(a, "100.64.0.0/10"): // RFC 1918, RFC 4193; RFC 6598: carriers' own NAT
		return private
	case a.Is4() && inAny(a, "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"):
		return nowhere
	case a.Is6() && (!inAny(a, "2000::/3") || inAny(a, "2001::/32", "2002::/16")): // Teredo, 6to4
		return nowhere
	}
	return public
}

func inAny(a netip.Addr, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) })
}
