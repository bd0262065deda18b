package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"landfall"

	"github.com/miekg/dns"
)

// served is what one of our name servers answers at one of its addresses.
type served struct {
	node   landfall.NodeID
	at     netip.AddrPort
	err    error
	serial uint32
}

// nameServers asks each of our name servers for the zone's SOA record.
func (p *patient) nameServers(ctx context.Context, n *notes) {
	var places []served
	for node := range p.Map.Having(landfall.RoleDNS) {
		for _, a := range node.Advertised {
			places = append(places, served{node: node.ID, at: netip.AddrPortFrom(a.Unmap(), p.Map.Ports.EffectiveDNS())})
		}
	}
	var asking sync.WaitGroup
	for i := range places {
		asking.Go(func() { p.askSerial(ctx, &places[i]) })
	}
	asking.Wait()
	n.list = append(n.list, judgeServed(p.Map, p.Self, places)...)
	if port := p.Map.Ports.EffectiveDNS(); port != 53 && len(places) > 0 {
		n.warn("in network.toml, leave out [ports] dns; then: landfall map apply", "the name servers answer on port %d: resolvers ask on 53 alone", port)
	}
}

func (p *patient) askSerial(ctx context.Context, s *served) {
	r, err := p.ask.one(ctx, s.at, p.Map.Domain, dns.TypeSOA, false)
	if err != nil {
		s.err = err
		return
	}
	soa := owned[*dns.SOA](r.Answer, p.Map.Domain)
	if !r.Authoritative || len(soa) == 0 {
		s.err = fmt.Errorf("%v does not answer for %s (%s): it is lame", s.at, p.Map.Domain, dns.RcodeToString[r.Rcode])
		return
	}
	s.serial = soa[0].Serial - fromFile(p.Map)
}

// copied reports whether the domain has secondaries.
func copied(m *landfall.Map) bool {
	return slices.ContainsFunc(m.Secondaries, func(s landfall.Secondary) bool { return s.Zone == "" || s.Zone == m.Domain })
}

// fromFile is what the domain's file adds to the serial of maps.
func fromFile(m *landfall.Map) uint32 {
	for _, z := range m.Zones {
		if z.Name == m.Domain {
			return z.Serial()
		}
	}
	return 0
}

// judgeServed compares what our name servers answer. What this very server
// cannot ask of its own public address says nothing: few routers send such
// packets back. Nor does it say anything of others that this server has no
// IPv6.
func judgeServed(m *landfall.Map, self landfall.NodeID, places []served) []Finding {
	n := notes{check: "name servers"}
	var untried []string
	for _, s := range places {
		cure := fmt.Sprintf("on %s: ufw allow %d && systemctl status landfall", s.node, s.at.Port())
		switch {
		case s.err != nil && s.at.Addr().Is6() && faultOf(s.err) == NoRoute:
			untried = append(untried, s.at.Addr().String())
		case s.err != nil && s.node == self:
			n.warn(`see what the other nodes say under "reach"`, "this server cannot ask itself at its public address: %v", s.err)
		case s.err != nil:
			n.fail(cure, "name server %s: %v", s.node, s.err)
		case copied(m): // and what is told to secondaries is numbered by itself
			n.ok("name server %s answers at %v", s.node, s.at.Addr())
		case s.serial == uint32(m.Serial):
			n.ok("name server %s answers at %v from map %d", s.node, s.at.Addr(), m.Serial)
		case int32(uint32(m.Serial)-s.serial) < 0: // RFC 1982
			n.warn("landfall status", "name server %s answers from map %d, and this node knows only %d", s.node, s.serial, m.Serial)
		default:
			n.warn("on "+string(s.node)+": systemctl status landfall", "name server %s still answers from map %d; %d is the newest", s.node, s.serial, m.Serial)
		}
	}
	if len(untried) > 0 {
		judgeNoIPv6(&n, m, self, untried)
	}
	return n.list
}

// judgeNoIPv6 tells once that this server has no way to the IPv6 addresses of
// name servers. That is as it should be where it has none itself.
func judgeNoIPv6(n *notes, m *landfall.Map, self landfall.NodeID, untried []string) {
	own, _ := m.Node(self)
	for _, a := range own.Advertised {
		if a = a.Unmap(); a.Is6() {
			n.warn("ip -6 address; ip -6 route", "this server has no way to IPv6 addresses, although the map gives it %v; not asked: %s", a, strings.Join(untried, ", "))
			return
		}
	}
	n.ok("this server has no IPv6: name servers are not asked at %s", strings.Join(untried, ", "))
}
