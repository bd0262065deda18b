package conformance

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// unboundConfig validates from our keys on, and keeps answers by the client
// subnets that it is told.
const unboundConfig = `server:
    directory: "%[1]s"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 0
    val-log-level: 2
    num-threads: 1
    interface: %[2]s
    port: %[3]d
    do-ip6: no
    do-not-query-localhost: no
    access-control: 127.0.0.0/8 allow
    module-config: "subnetcache validator iterator"
    send-client-subnet: 127.0.0.0/8
    client-subnet-always-forward: yes
    max-client-subnet-ipv4: 24
    max-client-subnet-ipv6: 56
    trust-anchor-file: "%[1]s/anchors"
    local-zone: "test." nodefault
    outgoing-range: 1024
remote-control:
    control-enable: no
`

// unboundAlone has all who ask alike, and makes denials of those that it has
// (RFC 8198).
const unboundAlone = `server:
    module-config: "validator iterator"
    aggressive-nsec: yes
`

// unbound runs a resolver that asks the server given, with more configuration.
func unbound(t *testing.T, s *signed, more string) *server {
	t.Helper()
	dir, addr := t.TempDir(), free(t)
	write(t, dir, "anchors", s.anchors())
	var b strings.Builder
	fmt.Fprintf(&b, unboundConfig, dir, addr.Addr(), addr.Port())
	for _, zone := range []string{domain, static} {
		fmt.Fprintf(&b, "stub-zone:\n    name: %q\n    stub-addr: %s@%d\n", zone, s.addr.Addr(), s.addr.Port())
	}
	b.WriteString(more)
	return run(t, "unbound", addr, static, "unbound", "-d", "-c", write(t, dir, "unbound.conf", b.String()))
}

// TestResolverBelievesEveryAnswer asks unbound for names at random, in the name
// of clients at random: it takes no answer for bogus, and every client hears of
// the edge that is nearest to it.
func TestResolverBelievesEveryAnswer(t *testing.T) {
	outside(t)
	resolver := unbound(t, signedServer(t), "")
	world, zone := clients(), zoneText(t)
	const askers = 16
	var working sync.WaitGroup
	var kinds [3]atomic.Int64
	for i := range askers {
		working.Go(func() {
			a := &user{asker: newAsker(uint64(i), zone), world: world, addr: resolver.addr.String()}
			for range sized(2_000, 100_000) / askers {
				kind, err := a.ask()
				if kinds[kind].Add(1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	for i, what := range []string{"steered", "that are there", "that are not there"} {
		if n := kinds[i].Load(); n == 0 {
			t.Errorf("no questions for names %s", what)
		} else {
			t.Logf("%d questions for names %s", n, what)
		}
	}
}

// user asks a resolver.
type user struct {
	*asker
	world []client
	addr  string
}

// ask asks for one name, and judges the answer.
func (u *user) ask() (kind int, err error) {
	m := new(dns.Msg)
	kind = u.IntN(3)
	switch kind {
	case 0:
		m.SetQuestion(dns.Fqdn(steered[u.IntN(len(steered))]), []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS}[u.IntN(3)])
	case 1:
		q := known[u.IntN(len(known))]
		m.SetQuestion(dns.Fqdn(q.name), dns.StringToType[q.rrtype])
		if q.rrtype == "TYPE65400" {
			m.Question[0].Qtype = 65400
		}
	case 2:
		name := fmt.Sprintf("%x.%s.", u.Uint64(), []string{domain, static, "a.b." + domain, "host.wild." + static, "sp." + static}[u.IntN(5)])
		m.SetQuestion(name, []uint16{dns.TypeA, dns.TypeTXT, dns.TypeMX}[u.IntN(3)])
	}
	who := u.client()
	m.SetEdns0(1232, true)
	m.IsEdns0().Option = append(m.IsEdns0().Option, subnetOption(who))
	c := dns.Client{Timeout: patience}
	a, _, err := c.Exchange(m, u.addr)
	if err == nil && a.Truncated {
		c.Net = "tcp"
		a, _, err = c.Exchange(m, u.addr)
	}
	switch {
	case err != nil:
		return kind, fmt.Errorf("%v for %v: %w", m.Question[0], who, err)
	case a.Rcode == dns.RcodeServerFailure, !a.AuthenticatedData:
		return kind, fmt.Errorf("bogus, or not secure: for %v\n%v", who, a)
	case kind == 2 && len(a.Answer) > 0, kind < 2 && len(a.Answer) == 0 && !strings.HasPrefix(a.Question[0].Name, "irc"):
		return kind, fmt.Errorf("not what there is: for %v\n%v", who, a)
	case kind == 0:
		err = u.right(who, a)
	}
	return kind, err
}

// client draws a prefix of which the database knows where it is.
func (u *user) client() netip.Prefix {
	p := u.world[u.IntN(len(u.world))].prefix
	b, bits := p.Addr().AsSlice(), 24
	if p.Addr().Is6() {
		bits = 56
	}
	for i := p.Bits(); i < bits; i++ {
		b[i/8] |= byte(u.IntN(2)) << (7 - i%8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(addr, bits)
}

// right finds that all addresses in an answer are those of the nearest edge.
func (u *user) right(who netip.Prefix, a *dns.Msg) error {
	want, ok := nearest(u.world, who)
	if !ok {
		return fmt.Errorf("%v is nowhere", who)
	}
	var got []string
	for _, rr := range a.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			got = append(got, rr.A.String())
		case *dns.AAAA:
			got = append(got, rr.AAAA.String())
		case *dns.HTTPS:
			for _, v := range rr.Value {
				if v.Key() == dns.SVCB_IPV4HINT || v.Key() == dns.SVCB_IPV6HINT {
					got = append(got, strings.Split(v.String(), ",")...)
				}
			}
		}
	}
	wrong := slices.ContainsFunc(got, func(s string) bool { return s != want.v4 && s != want.v6 })
	if wrong || len(got) == 0 && len(a.Answer) > 0 {
		return fmt.Errorf("%v is told %v, and %s is nearest\n%v", who, got, want.id, a)
	}
	return nil
}

// subnetOption is a client subnet (RFC 7871, 6).
func subnetOption(p netip.Prefix) *dns.EDNS0_SUBNET {
	o := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: uint8(p.Bits()), Address: p.Addr().AsSlice()}
	if p.Addr().Is6() {
		o.Family = 2
	}
	return o
}
