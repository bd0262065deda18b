package join

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// misplaced says what is wrong with where a server wants to be found, whom
// the control sees at the address from; it is empty if nothing is. Home and
// the name servers probe what is in the map, so a stranger's choice must not
// lead them to where only they can go.
func (rec record) misplaced(r request, from netip.Addr) string {
	pinned := len(rec.Addresses) > 0
	if pinned && !sameAddresses(rec.Addresses, r.Advertised) {
		return astray(rec.Addresses, r.Advertised)
	}
	all := slices.Clone(r.Advertised)
	for _, e := range r.Endpoints {
		all = append(all, e.Addr())
	}
	for _, a := range all {
		switch c := classOf(a); {
		case pinned && !slices.Contains(rec.Addresses, a):
			return astray(rec.Addresses, []netip.Addr{a})
		case pinned, c == public:
		case c == nowhere:
			return fmt.Sprintf("%v is no address at which others find a server: leave it out", a)
		case c != classOf(from):
			return fmt.Sprintf("%v is an address within %v, and the control sees this server at %v: leave it out, or have the server invited anew with --address %v", a, c, from, a)
		}
	}
	return ""
}

// astray says that a server is not where its invitation has it.
func astray(pinned, got []netip.Addr) string {
	return fmt.Sprintf("the invitation is for the server at %s, not at %s: join without --address there, or have this server invited anew with its own address",
		joined(pinned), joined(got))
}

func joined(all []netip.Addr) string {
	if len(all) == 0 {
		return "no address"
	}
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.String()
	}
	return strings.Join(out, " and ")
}

func sameAddresses(a, b []netip.Addr) bool {
	sorted := func(all []netip.Addr) []netip.Addr { return slices.SortedFunc(slices.Values(all), netip.Addr.Compare) }
	return slices.Equal(sorted(a), sorted(b))
}
