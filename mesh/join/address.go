package join

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// standing is where a server is to be found.
type standing struct {
	advertised []netip.Addr // what users are told
	bound      []netip.Addr // what it listens on; nil if the same
	notes      []string
}

// endpoints are where other nodes send datagrams to.
func (s standing) endpoints(port uint16) (out []netip.AddrPort) {
	for _, a := range s.advertised {
		if port != 0 {
			out = append(out, netip.AddrPortFrom(a, port))
		}
	}
	return out
}

// sight is a connection to the control, as the addresses at its near end tell
// of it: ours, and what the control sees.
type sight struct{ local, seen netip.Addr }

// settle decides by what the calls have told.
func settle(cfg Config, calls []*call) (standing, error) {
	var sights []sight
	for _, c := range calls {
		sights = append(sights, sight{c.local, c.hello.You})
	}
	s, why := stand(sights, plain(cfg.Local), cfg.Advertise)
	if why != "" {
		return standing{}, fail(Refused, CodeAddress, "join %s: %s; nothing was changed", cfg.Token.Node, why)
	}
	return s, nil
}

// plain gives addresses their one form, each once.
func plain(all []netip.Addr) (out []netip.Addr) {
	for _, a := range all {
		if a = a.Unmap().WithZone(""); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// stand decides where a server is to be found, or says why that cannot be.
func stand(sights []sight, local, advertise []netip.Addr) (s standing, why string) {
	if len(advertise) > 0 {
		s, why = asTold(sights, local, advertise)
	} else {
		s, why = asSeen(sights, local)
	}
	if slices.Equal(s.advertised, s.bound) {
		s.bound = nil
	}
	return s, why
}

// asSeen tells users the addresses that the control sees.
func asSeen(sights []sight, local []netip.Addr) (s standing, why string) {
	var inside []string
	for _, g := range sights {
		switch {
		case !g.seen.IsValid():
		case classOf(g.seen) != public:
			inside = append(inside, g.seen.String())
		default:
			s.add(g.seen, g.local)
			if g.local.IsValid() && g.local != g.seen {
				s.note("%v is seen as %v: this server is behind NAT; users will be told %v; if that is not an address of yours, somebody on the way to home has put it there: remove this node at home and invite it with --address", g.local, g.seen, g.seen)
			}
		}
	}
	if len(s.advertised) == 0 {
		return standing{}, notSeen(inside, local)
	}
	for _, a := range inside {
		s.note("%s is left out: users elsewhere cannot reach it", a)
	}
	for _, a := range local {
		if classOf(a) == public && !slices.ContainsFunc(sights, func(g sight) bool { return g.local.Is4() == a.Is4() }) {
			s.note("%v is left out: the control could not be reached over its family, so nobody has seen it from outside; to have users told of it, join with --address for it and for each other address", a)
		}
	}
	return s, ""
}

// notSeen is the cure for a server that the control sees only from within.
func notSeen(inside []string, local []netip.Addr) string {
	example := "203.0.113.7"
	for _, a := range local {
		if classOf(a) == public {
			example = a.String()
			break
		}
	}
	if len(inside) == 0 {
		return "the control does not see this server's address: say what users are to be told, such as --address " + example
	}
	return fmt.Sprintf("the control sees this server as %s, which users elsewhere cannot reach: say what they are to be told, such as --address %s; or --address %s if all users are in that network",
		strings.Join(inside, " and "), example, strings.Join(inside, " --address "))
}

// asTold tells users the addresses that the operator gave.
func asTold(sights []sight, local, advertise []netip.Addr) (s standing, why string) {
	for _, a := range advertise {
		bound, ok := behind(a, sights, local)
		if !ok {
			return standing{}, fmt.Sprintf("--address %v: this server has no address of that family to serve it from", a)
		}
		s.add(a, bound)
		if bound != a {
			s.note("%v serves for %v, which is on no interface here: this server is behind NAT", bound, a)
		}
		for _, g := range sights {
			if g.seen.IsValid() && g.seen.Is4() == a.Is4() && !slices.Contains(advertise, g.seen) && classOf(g.seen) == public {
				s.note("users will be told %v, as --address says; the control sees %v", a, g.seen)
			}
		}
	}
	return s, ""
}

// behind is the address of an interface that serves what comes for a.
func behind(a netip.Addr, sights []sight, local []netip.Addr) (netip.Addr, bool) {
	if slices.Contains(local, a) || a.Is4() && a.IsLoopback() { // all of it is ours (RFC 1122, 3.2.1.3)
		return a, true
	}
	for _, g := range sights {
		if g.local.IsValid() && g.local.Is4() == a.Is4() {
			return g.local, true
		}
	}
	for _, b := range local {
		if b.Is4() == a.Is4() && !b.IsLoopback() && !b.IsLinkLocalUnicast() {
			return b, true
		}
	}
	return netip.Addr{}, false
}

// add pairs an address with the one that is bound for it.
func (s *standing) add(advertised, bound netip.Addr) {
	if !bound.IsValid() {
		bound = advertised
	}
	s.advertised = append(s.advertised, advertised)
	if !slices.Contains(s.bound, bound) {
		s.bound = append(s.bound, bound)
	}
}

func (s *standing) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}
