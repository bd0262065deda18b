package geodns

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// makeKeys makes those of a zone, good for a month.
func makeKeys(t testing.TB, name string) dnssec.Keys {
	t.Helper()
	apex, err := zone.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	ksk, err := dnssec.Generate(dnssec.KSK)
	if err != nil {
		t.Fatal(err)
	}
	zsk, err := dnssec.Generate(dnssec.ZSK)
	if err != nil {
		t.Fatal(err)
	}
	k, err := dnssec.Local(apex, ksk, zsk, time.Now(), time.Now().Add(30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// trust is a validator that believes in the keys given.
func trust(t testing.TB, all ...dnssec.Keys) *validator {
	t.Helper()
	v := &validator{keys: map[string][]*dns.DNSKEY{}, now: time.Now()}
	for _, k := range all {
		name := dns.Fqdn(k.Zone.String())
		r, err := k.At(v.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Keys[slices.IndexFunc(r.Keys, func(s zone.Set) bool { return s.Type == dns.TypeDNSKEY })].Data {
			h := dns.RR_Header{Name: name, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600, Rdlength: uint16(len(d))}
			rr, _, err := dns.UnpackRRWithHeader(h, d, 0)
			if err != nil {
				t.Fatal(err)
			}
			v.keys[name] = append(v.keys[name], rr.(*dns.DNSKEY))
		}
	}
	return v
}

// signedMap is a world with all that zones can hold.
func signedMap(m *landfall.Map) {
	m.Steering.Answers = 2
	m.Services = append(m.Services,
		landfall.Service{Host: "www.example.com", External: true, Upstream: "http://127.0.0.1:3000"},
		landfall.Service{Host: "other.test", Upstream: "chat"},
		landfall.Service{Host: "www.any.test", Upstream: "chat"},
	)
	m.Records = append(m.Records,
		landfall.Record{Name: "*.mid.landfall.test", Type: "MX", Data: "10 mail"},
		landfall.Record{Name: "*.alias.landfall.test", Type: "CNAME", Data: "chat"},
		landfall.Record{Name: "*.lost.landfall.test", Type: "CNAME", Data: "nothing.c"},
		landfall.Record{Name: "below.*.gap.landfall.test", Type: "TXT", Data: "deep"},
		landfall.Record{Name: "safe.landfall.test", Type: "NS", Data: "ns.example.net."},
		landfall.Record{Name: "safe.landfall.test", Type: "DS", Data: "1 13 2 0000000000000000000000000000000000000000000000000000000000000000"},
		landfall.Record{Name: "old.landfall.test", Type: "DNAME", Data: "c"},
		landfall.Record{Name: "one.landfall.test", Type: "DNAME", Data: "two"},
		landfall.Record{Name: "x.two.landfall.test", Type: "CNAME", Data: "y.one"},
		landfall.Record{Name: "y.two.landfall.test", Type: "TXT", Data: "by one again"},
		landfall.Record{Name: "*.any.test", Type: "CNAME", Data: "www.any.test."},
		landfall.Record{Name: "*.cut.landfall.test", Type: "CNAME", Data: "x.down.cut"},
		landfall.Record{Name: "down.cut.landfall.test", Type: "NS", Data: "ns.example.net."},
		landfall.Record{Name: "over.landfall.test", Type: "CNAME", Data: "static.other.test."},
		landfall.Record{Name: "far.landfall.test", Type: "CNAME", Data: "missing.other.test."},
		landfall.Record{Name: "SRV.landfall.test", Type: "SRV", Data: "1 2 3 Mail.Landfall.TEST."},
		landfall.Record{Name: "*.other.test", Type: "TXT", Data: "whatever"},
		landfall.Record{Name: "static.other.test", Type: "A", Data: "198.51.100.1"},
		landfall.Record{Name: "child.landfall.test", Type: "TXT", Data: "its apex"},
		landfall.Record{Name: strings.Repeat("longlonglonglonglong.", 11) + "landfall.test", Type: "TXT", Data: "long"},
	)
	m.Zones = append(m.Zones, landfall.Zone{Name: "other.test"}, landfall.Zone{Name: "any.test"}, landfall.Zone{Name: "child.landfall.test"}, landfall.Zone{Name: "plain.landfall.test"})
}

// signedServer is a server of that world. The zone plain.landfall.test has no
// keys.
func signedServer(t testing.TB) (*Server, *validator) {
	t.Helper()
	return signedWorld(t, signedMap)
}

// signedWorld is a server of another, with these zones.
func signedWorld(t testing.TB, change func(*landfall.Map)) (*Server, *validator) {
	t.Helper()
	s := newServer(t, change)
	for _, f := range s.faults {
		t.Errorf("fault: %v", f)
	}
	keys := []dnssec.Keys{makeKeys(t, "landfall.test"), makeKeys(t, "other.test"), makeKeys(t, "any.test"), makeKeys(t, "child.landfall.test")}
	if err := s.SetKeys(keys); err != nil {
		t.Fatal(err)
	}
	v := trust(t, keys...)
	v.keys["plain.landfall.test."] = nil
	return s, v
}

func withDO(m *dns.Msg, co bool) *dns.Msg {
	m.SetEdns0(4096, true)
	m.IsEdns0().SetCo(co)
	return m
}

// askedNames are names of every kind: there, below what is there, made of
// wildcards, and missing.
func askedNames(s *Server) (names []string) {
	for _, z := range s.current.Load().zones.All() {
		for _, n := range z.Names() {
			name := n.String()
			names = append(names, name, strings.ToUpper(name))
			if len(n) < 240 {
				names = append(names, "x."+name, "0.a."+name, `\000.`+name, "~."+name, "*."+name)
			}
		}
	}
	for i := range 16 {
		names = append(names, fmt.Sprintf("abcdefghijklmnop%02d.seen.landfall.test", i), fmt.Sprintf("nothing%02d.other.test", i))
	}
	return append(names, "seen1.landfall.test", "too.deep.abcdefghijklmnop.seen.landfall.test")
}

// Every answer is proved: what is there, what is not, and what nobody signed;
// and it says what an unsigned answer says.
func TestValidatorsBelieveEveryAnswer(t *testing.T) {
	s, v := signedServer(t)
	types := []uint16{
		dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeNS, dns.TypeSOA, dns.TypeTXT, dns.TypeMX, dns.TypeSRV, dns.TypeCNAME, dns.TypeDNAME,
		dns.TypeDS, dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY, dns.TypeANY, dns.TypeNSEC, dns.TypeRRSIG, 65280,
	}
	seen := map[string]int{}
	for _, broke := range []bool{false, true} {
		for _, name := range askedNames(s) {
			for i, rrtype := range types {
				s.spend(broke)
				from := []string{"10.1.0.1", "10.3.0.1", "10.2.0.1"}[(i+len(name))%3]
				seen[judge(t, s, v, name, rrtype, from, broke)]++
			}
		}
	}
	for _, want := range []verdict{positive, nodata, nxdomain, insecure, secured, elsewhere} {
		if seen[string(want)] < 10 {
			t.Errorf("only %d answers are: %s", seen[string(want)], want)
		}
	}
	t.Logf("answers: %v", seen)
}

// spend makes the budgets of signatures spent, or not.
func (s *Server) spend(all bool) {
	at := int64(math.MinInt64 / 2)
	if all {
		at = math.MaxInt64 / 2
		clear(s.online.denials)
	}
	s.online.denied.spent.Store(at)
	s.online.tokens.spent.Store(at)
}

// judge validates one answer, and holds it against the unsigned one.
func judge(t *testing.T, s *Server, v *validator, name string, rrtype uint16, from string, broke bool) string {
	t.Helper()
	plain := askBy(t, s, question(name, rrtype), from, true)
	co := len(name)%2 == 0
	got := askBy(t, s, withDO(question(name, rrtype), co), from, true)
	what := fmt.Sprintf("%s %s", name, dns.Type(rrtype))
	if z := v.zone(strings.ToLower(dns.Fqdn(name)), rrtype); z == "plain.landfall.test." {
		if len(got.Ns)+len(got.Answer) != len(plain.Ns)+len(plain.Answer) || got.Rcode != plain.Rcode {
			t.Errorf("%s: more in an unsigned zone: %v", what, got)
		}
		return "unsigned"
	}
	verdict, err := v.validate(dns.Fqdn(name), rrtype, got)
	if err != nil {
		t.Errorf("%s: %v\n%v", what, err, got)
		return "bogus"
	}
	if got.IsEdns0().Co() != co {
		t.Errorf("%s: the CO bit is not returned", what)
	}
	if broke && strings.HasSuffix(strings.ToLower(name), ".seen.landfall.test") {
		return "of the wildcard that stands in"
	}
	rcode, denied := plain.Rcode, compact(got.Answer)
	if denied || compact(got.Ns) && !co {
		rcode = dns.RcodeSuccess
	}
	if got.Rcode != rcode {
		t.Errorf("%s: %s, and unsigned %s: %v", what, dns.RcodeToString[got.Rcode], dns.RcodeToString[plain.Rcode], got)
	}
	if (verdict == nxdomain) != (plain.Rcode == dns.RcodeNameError) && !denied {
		t.Errorf("%s: %s, and unsigned %s", what, verdict, dns.RcodeToString[plain.Rcode])
	}
	if a, b := unsigned(plain.Answer), unsigned(got.Answer); !slices.Equal(a, b) && !denied && rrtype != dns.TypeANY {
		t.Errorf("%s:\nunsigned %q\n  signed %q", what, a, b)
	}
	return string(verdict)
}

// compact reports whether a section holds a compact denial (RFC 9824, 3.1).
func compact(section []dns.RR) bool {
	return slices.ContainsFunc(section, func(rr dns.RR) bool {
		n, ok := rr.(*dns.NSEC)
		return ok && slices.Contains(n.TypeBitMap, dns.TypeNXNAME)
	})
}

// unsigned are the records of a section without signatures.
func unsigned(section []dns.RR) (out []string) {
	for _, rr := range section {
		if rr.Header().Rrtype != dns.TypeRRSIG {
			out = append(out, rr.String())
		}
	}
	return out
}
