package zone

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// signer counts what it is asked to sign; its signatures tell what they are of.
type signer struct{ made int }

func (s *signer) sign(owner Name, set Set) []byte {
	s.made++
	return fmt.Appendf(nil, "%s %d %d %x", owner, set.Type, set.TTL, set.Data)
}

func signedWorld() *landfall.Map {
	m := testMap(
		landfall.Record{Name: "mail.landfall.test", Type: "A", Data: "198.51.100.9"},
		landfall.Record{Name: "*.wild.landfall.test", Type: "TXT", Data: "any"},
		landfall.Record{Name: "a.b.c.landfall.test", Type: "TXT", Data: "deep"},
		landfall.Record{Name: "sub.landfall.test", Type: "NS", Data: "ns.sub"},
		landfall.Record{Name: "ns.sub.landfall.test", Type: "A", Data: "198.51.100.53"},
		landfall.Record{Name: "Z.landfall.test", Type: "TYPE1234", Data: `\# 0`},
	)
	m.Zones = append(m.Zones, landfall.Zone{Name: "child.landfall.test"})
	return m
}

// signWorld signs the domain's zone and its child.
func signWorld(t testing.TB, m *landfall.Map, by *signer, before *Zones) *Zones {
	t.Helper()
	zones, faults := Build(m, nil)
	for _, f := range faults {
		t.Errorf("fault: %v", f)
	}
	return zones.Signed(func(z *Zone) *Signing {
		s := &Signing{Sign: by.sign, V4: true, V6: true}
		if before != nil {
			s.Before = before.Of(z.Apex)
		}
		for _, rrtype := range []uint16{dns.TypeCDS, dns.TypeDNSKEY} {
			data := []byte(z.Apex.String())
			s.Keys = append(s.Keys, Set{Type: rrtype, TTL: 60, Data: [][]byte{data}, Sigs: [][]byte{{1}}})
		}
		return s
	})
}

func nsec(t testing.TB, owner Name, s Set) *dns.NSEC {
	t.Helper()
	h := dns.RR_Header{Name: dns.Fqdn(owner.String()), Rrtype: s.Type, Class: dns.ClassINET, Ttl: s.TTL, Rdlength: uint16(len(s.Data[0]))}
	rr, n, err := dns.UnpackRRWithHeader(h, s.Data[0], 0)
	if err != nil || n != len(s.Data[0]) {
		t.Fatalf("%s: %v", owner, err)
	}
	return rr.(*dns.NSEC)
}

func TestChainOfNames(t *testing.T) {
	z := signWorld(t, signedWorld(), &signer{}, nil).Domain()
	want := []string{
		"landfall.test NS SOA A AAAA HTTPS RRSIG NSEC DNSKEY CDS",
		"a.b.c.landfall.test TXT RRSIG NSEC",
		"chat.landfall.test A AAAA HTTPS RRSIG NSEC",
		"child.landfall.test NS DS RRSIG NSEC",
		"mail.landfall.test A RRSIG NSEC",
		"fra1.ns.landfall.test A AAAA RRSIG NSEC",
		"fra2.ns.landfall.test A RRSIG NSEC",
		"*.seen.landfall.test A AAAA RRSIG NSEC",
		"sub.landfall.test NS RRSIG NSEC",
		"*.wild.landfall.test TXT RRSIG NSEC",
		"z.landfall.test RRSIG NSEC TYPE1234",
	}
	at := z.Apex
	for i, line := range want {
		set, ok := z.Find(at).Node.Set(dns.TypeNSEC)
		if !ok || len(set.Sigs) != 1 || set.TTL != 30 {
			t.Fatalf("%s: NSEC %v", at, set)
		}
		n := nsec(t, at, set)
		got := []string{at.String()}
		slices.Sort(n.TypeBitMap)
		for _, rrtype := range n.TypeBitMap {
			got = append(got, dns.Type(rrtype).String())
		}
		if sorted := strings.Fields(line); len(sorted) != len(got) || !sameWords(sorted, got) {
			t.Errorf("%q, want %q", got, line)
		}
		at = name(t, n.NextDomain)
		if (at == z.Apex) != (i == len(want)-1) {
			t.Fatalf("after %s comes %s", got[0], at)
		}
	}
}

func sameWords(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// What others have authority for is not signed (RFC 4035, 2.2); all else is.
func TestWhatIsSigned(t *testing.T) {
	zones := signWorld(t, signedWorld(), &signer{}, nil)
	for host, unsigned := range map[string][]uint16{
		"sub.landfall.test": {dns.TypeNS}, "child.landfall.test": {dns.TypeNS}, "ns.sub.landfall.test": {dns.TypeA},
		"landfall.test": nil, "mail.landfall.test": nil, "chat.landfall.test": nil, "*.wild.landfall.test": nil,
	} {
		for _, s := range zones.Domain().nodes[name(t, host)].Sets {
			if signed := len(s.Sigs) > 0; signed == slices.Contains(unsigned, s.Type) {
				t.Errorf("%s %s: signed %v", host, dns.Type(s.Type), signed)
			}
		}
	}
	ds, _ := zones.Domain().Find(name(t, "child.landfall.test")).Node.Set(dns.TypeDS)
	if len(ds.Data) != 1 || string(ds.Data[0]) != "child.landfall.test" || len(ds.Sigs) != 1 {
		t.Errorf("the DS set is not what the child's CDS set asks for: %v", ds)
	}
	if child := zones.Of(name(t, "child.landfall.test")); !child.Secure || !zones.Domain().Secure {
		t.Error("zones do not say that they are signed")
	}
	if plain, _ := Build(signedWorld(), nil); plain.Domain().Secure || len(plain.Domain().Find(name(t, "chat.landfall.test")).Node.Denial(dns.TypeTXT).Data) != 0 {
		t.Error("a zone that nobody signed says that it is signed")
	}
}

func TestDenials(t *testing.T) {
	z := signWorld(t, signedWorld(), &signer{}, nil).Domain()
	for _, tt := range []struct {
		host   string
		rrtype uint16
		types  []uint16
	}{
		{"chat.landfall.test", dns.TypeTXT, []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeRRSIG, dns.TypeNSEC}},
		{"chat.landfall.test", dns.TypeAAAA, []uint16{dns.TypeA, dns.TypeHTTPS, dns.TypeRRSIG, dns.TypeNSEC}},
		{"chat.landfall.test", dns.TypeA, []uint16{dns.TypeAAAA, dns.TypeHTTPS, dns.TypeRRSIG, dns.TypeNSEC}},
		{"mail.landfall.test", dns.TypeAAAA, []uint16{dns.TypeA, dns.TypeRRSIG, dns.TypeNSEC}},
		{"sub.landfall.test", dns.TypeDS, []uint16{dns.TypeNS, dns.TypeRRSIG, dns.TypeNSEC}},
	} {
		node := z.Find(name(t, tt.host)).Node
		n := nsec(t, name(t, tt.host), node.Denial(tt.rrtype))
		chain, _ := node.Set(dns.TypeNSEC)
		slices.Sort(tt.types)
		if n.NextDomain != nsec(t, name(t, tt.host), chain).NextDomain || !slices.Equal(n.TypeBitMap, tt.types) || len(node.Denial(tt.rrtype).Sigs) != 1 {
			t.Errorf("%s %s: %v", tt.host, dns.Type(tt.rrtype), n)
		}
	}
	if s := z.Find(name(t, "b.c.landfall.test")).Node.Denial(dns.TypeA); len(s.Data) != 0 {
		t.Errorf("a name with nothing but names below it is in the chain: %v", s)
	}
	if _, ok := name(t, "*.landfall.test").Nonexistent(30); ok {
		t.Error("a wildcard is denied in a way that denies more")
	}
}

func TestCoverFindsTheGap(t *testing.T) {
	z := signWorld(t, signedWorld(), &signer{}, nil).Domain()
	for host, want := range map[string]string{
		"0.landfall.test": "landfall.test", "x.mail.landfall.test": "mail.landfall.test", "zz.landfall.test": "z.landfall.test",
		"bb.landfall.test": "landfall.test", "x.wild.landfall.test": "*.wild.landfall.test", "token.seen.landfall.test": "*.seen.landfall.test",
	} {
		if owner, s, ok := z.Cover(name(t, host)); !ok || owner.String() != want || len(s.Sigs) != 1 {
			t.Errorf("%s is covered by %s, want %s", host, owner, want)
		}
	}
	if owner, _, ok := z.Cover(name(t, "mail.landfall.test")); ok {
		t.Errorf("a name that exists is covered by %s", owner)
	}
	if m := z.Find(name(t, "token.seen.landfall.test")); m.Kind != Missing {
		t.Errorf("tokens are answered from a wildcard: kind %d", m.Kind)
	}
}

// Only what changed is signed anew.
func TestSetsAreSignedOnce(t *testing.T) {
	first := &signer{}
	before := signWorld(t, signedWorld(), first, nil)
	again := &signer{}
	if signWorld(t, signedWorld(), again, before); again.made != 0 || first.made < 25 {
		t.Errorf("%d signatures, and then %d", first.made, again.made)
	}
	m := signedWorld()
	m.Serial++
	m.Records = append(m.Records, landfall.Record{Name: "new.landfall.test", Type: "A", Data: "192.0.2.1"})
	next := signWorld(t, m, again, before)
	// Two SOA sets; the new name's set and NSEC; NSEC of the name before.
	if again.made != 5 {
		t.Errorf("%d signatures for one new name", again.made)
	}
	for n, node := range next.Domain().Nodes() {
		for _, s := range node.Sets {
			if len(s.Sigs) == 1 && len(s.Sigs[0]) > 1 && !bytes.Equal(s.Sigs[0], again.sign(n, s)) {
				t.Errorf("%s %s has the signature of another", n, dns.Type(s.Type))
			}
		}
	}
}

// Bitmaps are those that miekg/dns reads back, in every window (RFC 4034,
// 4.1.2).
func TestTypesOfNSEC(t *testing.T) {
	owner := name(t, "a.test")
	for _, types := range [][]uint16{{1}, {46, 47}, {1, 255, 256, 257, 1234}, {65535, 1, 32768, 47}, {128, 46, 47}} {
		n := nsec(t, owner, Set{Type: dns.TypeNSEC, Data: [][]byte{NSEC(owner, types...)}})
		if want := slices.Sorted(slices.Values(types)); !slices.Equal(n.TypeBitMap, want) {
			t.Errorf("%v became %v", want, n.TypeBitMap)
		}
	}
}
