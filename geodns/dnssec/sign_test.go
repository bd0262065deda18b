package dnssec

import (
	"bytes"
	"strings"
	"testing"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// What miekg/dns verifies, we sign as RFC 4034, 6 says: every type with names
// in its data, capital letters, records out of order, twice, and of wildcards.
func TestSignaturesVerify(t *testing.T) {
	k := generate(t, ZSK)
	apex := name(t, "example.test")
	s, err := NewSigner(apex, k, WindowAt(noon), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, lines := range [][]string{
		{"a.example.test. 20 A 192.0.2.2", "a.example.test. 20 A 192.0.2.1", "a.example.test. 20 A 192.0.2.1"},
		{"example.test. 3600 NS NS2.Example.test.", "example.test. 3600 NS ns1.example.TEST."},
		{"example.test. 3600 SOA NS.example.test. Host.example.test. 1 2 3 4 5"},
		{"a.example.test. 1 CNAME Www.Example.COM."},
		{"a.example.test. 1 DNAME Www.Example.COM."},
		{"a.example.test. 1 PTR Www.Example.COM."},
		{"example.test. 1 MX 20 Mail.Example.test.", "example.test. 1 MX 10 mail2.example.test."},
		{"_a._tcp.example.test. 1 SRV 1 2 3 Host.Example.test."},
		{"a.example.test. 1 RP Some.Body.test. Text.TEST."},
		{"a.example.test. 1 AFSDB 1 Some.Body.test."},
		{"a.example.test. 1 KX 1 Some.Body.test."},
		{"a.example.test. 1 RT 1 Some.Body.test."},
		{"a.example.test. 1 PX 1 Some.Body.test. ANOTHER.test."},
		{"a.example.test. 1 MINFO Some.Body.test. ANOTHER.test."},
		{`a.example.test. 1 NAPTR 100 50 "s" "http" "" _HTTP._tcp.Example.COM.`},
		{`a.example.test. 1 HTTPS 1 Svc.Example.test. alpn="h2"`}, // as it is: RFC 9460 is younger
		{`a.example.test. 1 TXT "Capital Letters" "stay"`},
		{"*.example.test. 1 TXT any"},
		{"*.a.b.example.test. 1 A 192.0.2.1"},
		{"a.example.test. 1 TYPE65280 \\# 2 abcd"},
	} {
		owner, set := set(t, lines...)
		set.Sigs = [][]byte{s.Sign(owner, set)}
		if len(set.Data) == 3 {
			set.Data = set.Data[:2] // a resolver sees each once
		}
		verify(t, owner, set, k, apex)
		if strings.HasPrefix(lines[0], "*.") {
			below := name(t, strings.Replace(lines[0][:strings.IndexByte(lines[0], ' ')], "*", "x.y", 1))
			verify(t, below, set, k, apex)
		}
	}
}

func TestSignaturesAreAlwaysTheSame(t *testing.T) {
	k := generate(t, ZSK)
	other, err := NewKey(ZSK, k.Private())
	if err != nil {
		t.Fatal(err)
	}
	apex := name(t, "example.test")
	owner, set := set(t, "a.example.test. 20 A 192.0.2.2")
	a, _ := NewSigner(apex, k, WindowAt(noon), nil)
	b, _ := NewSigner(apex, other, WindowAt(noon.Add(Step/8)), NewCache(10))
	for range 3 {
		if !bytes.Equal(a.Sign(owner, set), b.Sign(owner, set)) {
			t.Fatal("two signers with one key make two signatures")
		}
	}
	later, _ := NewSigner(apex, k, WindowAt(noon.Add(Step)), nil)
	if bytes.Equal(a.Sign(owner, set), later.Sign(owner, set)) {
		t.Error("a Step later the signature is the same")
	}
}

func TestKeyNeedsItsPrivateHalfToSign(t *testing.T) {
	public, err := ParseKey(generate(t, ZSK).Public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSigner(name(t, "example.test"), public, WindowAt(noon), nil); err == nil {
		t.Error("a signer without a private key")
	}
}

func TestKeyData(t *testing.T) {
	for _, flags := range []uint16{ZSK, KSK} {
		k := generate(t, flags)
		owner := name(t, "Example.test")
		rr := record(t, owner, dns.TypeDNSKEY, 3600, k.Public).(*dns.DNSKEY)
		if rr.KeyTag() != k.Tag || rr.Flags != flags || k.Flags() != flags || rr.Algorithm != Algorithm {
			t.Errorf("key %d is %v", k.Tag, rr)
		}
		want, got := rr.ToDS(dns.SHA256), record(t, owner, dns.TypeDS, 3600, k.DS(owner)).(*dns.DS)
		if got.Digest != want.Digest || got.KeyTag != want.KeyTag || got.DigestType != want.DigestType {
			t.Errorf("DS %v, want %v", got, want)
		}
		again, err := ParseKey(k.Public)
		if err != nil || again.Tag != k.Tag || again.Private() != nil {
			t.Errorf("parsed: %v, %v", again, err)
		}
	}
}

func TestDataThatIsNoKey(t *testing.T) {
	k := generate(t, ZSK).Public
	for _, data := range [][]byte{nil, k[:10], append([]byte{1, 0, 3, 8}, k[4:]...), append([]byte{1, 0, 2, 13}, k[4:]...), append(k[:67:67], k[67]^1)} {
		if _, err := ParseKey(data); err == nil {
			t.Errorf("%x is a key", data)
		}
	}
	if _, err := NewKey(ZSK, nil); err == nil {
		t.Error("nothing is a key")
	}
}

func TestCacheRemembersWhatWasLookedUpLast(t *testing.T) {
	c := NewCache(4)
	s, err := NewSigner(name(t, "example.test"), generate(t, ZSK), WindowAt(noon), c)
	if err != nil {
		t.Fatal(err)
	}
	owner, used := set(t, "a.example.test. 20 A 192.0.2.2")
	s.Sign(owner, used)
	for i := range 100 {
		s.Sign(owner, zone.Set{Type: dns.TypeA, TTL: 20, Data: [][]byte{{10, 0, 0, byte(i)}}})
		s.Sign(owner, used)
	}
	if c.Made() != 101 {
		t.Errorf("%d signatures made of 101", c.Made())
	}
	if n := len(c.young) + len(c.old); n > 8 {
		t.Errorf("%d kept, with room for 4", n)
	}
}

// Whatever bytes stand where a record's data should, nothing breaks.
func FuzzCanonical(f *testing.F) {
	for rrtype := range uint16(48) {
		f.Add(rrtype, []byte("\x00\x0a\x04MAIL\x07example\x00"))
		f.Add(rrtype, []byte("\x00\x01\x00\x01\x01S\x01a\x00\x02Ab\x00"))
	}
	f.Fuzz(func(t *testing.T, rrtype uint16, data []byte) {
		got := canonical(rrtype, bytes.Clone(data))
		if !bytes.EqualFold(got, data) && !bytes.Equal(bytes.ToLower(got), bytes.ToLower(data)) {
			t.Errorf("%s: %x became %x", dns.Type(rrtype), data, got)
		}
		if again := canonical(rrtype, got); !bytes.Equal(again, got) {
			t.Errorf("%s: %x became %x, and then %x", dns.Type(rrtype), data, got, again)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for name, c := range map[string]*Cache{"made": nil, "remembered": NewCache(10)} {
		b.Run(name, func(b *testing.B) {
			s, err := NewSigner("\x07example\x04test\x00", generate(b, ZSK), WindowAt(noon), c)
			if err != nil {
				b.Fatal(err)
			}
			owner, set := set(b, "a.example.test. 20 A 192.0.2.2", "a.example.test. 20 A 192.0.2.1")
			for b.Loop() {
				s.Sign(owner, set)
			}
		})
	}
}
