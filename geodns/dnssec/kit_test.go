package dnssec

import (
	"testing"
	"time"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func name(t testing.TB, s string) zone.Name {
	t.Helper()
	n, err := zone.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func generate(t testing.TB, flags uint16) Key {
	t.Helper()
	k, err := Generate(flags)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func local(t testing.TB, owner string, now, until time.Time) Keys {
	t.Helper()
	k, err := Local(name(t, owner), generate(t, KSK), generate(t, ZSK), now, until)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// set reads records of one name and type.
func set(t testing.TB, lines ...string) (zone.Name, zone.Set) {
	t.Helper()
	var s zone.Set
	var owner zone.Name
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		owner = name(t, rr.Header().Name)
		s.Type, s.TTL = rr.Header().Rrtype, rr.Header().Ttl
		rr.Header().Name = "."
		b := make([]byte, 65536)
		n, err := dns.PackRR(rr, b, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		s.Data = append(s.Data, b[11:n])
	}
	return owner, s
}

// record is data as miekg/dns has it.
func record(t testing.TB, owner zone.Name, rrtype uint16, ttl uint32, data []byte) dns.RR {
	t.Helper()
	h := dns.RR_Header{Name: dns.Fqdn(owner.String()), Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl, Rdlength: uint16(len(data))}
	rr, n, err := dns.UnpackRRWithHeader(h, data, 0)
	if err != nil || n != len(data) {
		t.Fatalf("%s %s %x: %v", owner, dns.Type(rrtype), data, err)
	}
	return rr
}

// verify has miekg/dns verify the signatures of a set.
func verify(t testing.TB, owner zone.Name, s zone.Set, key Key, signer zone.Name) {
	t.Helper()
	var rrs []dns.RR
	for _, d := range s.Data {
		rrs = append(rrs, record(t, owner, s.Type, s.TTL, d))
	}
	dnskey := record(t, signer, dns.TypeDNSKEY, 3600, key.Public).(*dns.DNSKEY)
	if len(s.Sigs) == 0 {
		t.Errorf("%s %s: no signature", owner, dns.Type(s.Type))
	}
	for _, sig := range s.Sigs {
		if err := record(t, owner, dns.TypeRRSIG, s.TTL, sig).(*dns.RRSIG).Verify(dnskey, rrs); err != nil {
			t.Errorf("%s %s: %v", owner, dns.Type(s.Type), err)
		}
	}
}
