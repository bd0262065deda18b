package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/roll"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var policy = roll.Policy{
	KeyTTL: time.Hour, ZoneTTL: 24 * time.Hour, ParentTTL: 24 * time.Hour, ParentLag: time.Hour,
	Propagation: 7 * 24 * time.Hour, ZSKLife: 30 * 24 * time.Hour, Ahead: 90 * 24 * time.Hour, Carried: true,
}

// keyed is a state with keys, and their private halves.
func keyed(tb testing.TB, s roll.State) (roll.State, map[roll.ID]dnssec.Key) {
	tb.Helper()
	private := map[roll.ID]dnssec.Key{}
	for _, k := range s.Keys {
		flags := dnssec.ZSK
		if k.Role == roll.KSK {
			flags = dnssec.KSK
		}
		key, err := dnssec.Generate(flags)
		if err != nil {
			tb.Fatal(err)
		}
		private[k.ID] = key
		s = s.Made(k.ID, key.Public)
	}
	return s, private
}

func make90(tb testing.TB) (roll.State, Bundle) {
	tb.Helper()
	s, _, _ := roll.Begin("example.test", policy, start).Next(start, roll.Facts{})
	s, private := keyed(tb, s)
	b, err := Make(s, private, start, start.Add(policy.Ahead))
	if err != nil {
		tb.Fatal(err)
	}
	return s, b
}

// At every hour of a bundle, and for a day after its end, its sets are signed by
// a KSK, the signatures hold for days to come, and who signs is in the DNSKEY
// set.
func TestABundleHoldsAtAnyTime(t *testing.T) {
	s, b := make90(t)
	signers := map[uint16]bool{}
	for at := start; at.Before(start.Add(policy.Ahead + 24*time.Hour)); at = at.Add(time.Hour) {
		ring, err := b.At(at)
		if err != nil {
			t.Fatalf("%v: %v", at, err)
		}
		signers[ring.Key.Tag] = true
		shown := ring.Keys[0].Data
		if want := len(s.At(at).Shown); len(shown) != want && at.Before(start.Add(policy.Ahead)) {
			t.Fatalf("%v: %d keys are shown, not %d", at, len(shown), want)
		}
		for _, set := range ring.Keys {
			for _, sig := range set.Sigs {
				verify(t, at, shown, set, sig)
			}
		}
	}
	if len(signers) != 3 {
		t.Errorf("%d ZSKs signed in 90 days, each for 30", len(signers))
	}
	if left := b.Until().Sub(start.Add(policy.Ahead)); left < dnssec.Left {
		t.Errorf("%v are left at the end", left)
	}
}

// verify has the miekg library find the key of a signature, and check it.
func verify(t *testing.T, at time.Time, shown [][]byte, set zone.Set, rrsig []byte) {
	t.Helper()
	sig := unpack(t, dns.TypeRRSIG, set.TTL, rrsig).(*dns.RRSIG)
	var rrs []dns.RR
	for _, d := range set.Data {
		rrs = append(rrs, unpack(t, set.Type, set.TTL, d))
	}
	if !sig.ValidityPeriod(at) || !sig.ValidityPeriod(at.Add(5*24*time.Hour)) {
		t.Fatalf("%v: a signature over %s ends too soon: %v", at, dns.Type(set.Type), sig)
	}
	for _, d := range shown {
		key := unpack(t, dns.TypeDNSKEY, set.TTL, d).(*dns.DNSKEY)
		if key.KeyTag() == sig.KeyTag && key.Flags == dnssec.KSK && sig.Verify(key, rrs) == nil {
			return
		}
	}
	t.Fatalf("%v: no KSK that is shown made the signature over %s", at, dns.Type(set.Type))
}

func unpack(t *testing.T, rrtype uint16, ttl uint32, data []byte) dns.RR {
	t.Helper()
	apex, err := zone.ParseName("example.test")
	if err != nil {
		t.Fatal(err)
	}
	wire := append([]byte(apex), byte(rrtype>>8), byte(rrtype), 0, 1, byte(ttl>>24), byte(ttl>>16), byte(ttl>>8), byte(ttl), byte(len(data)>>8), byte(len(data)))
	rr, _, err := dns.UnpackRR(append(wire, data...), 0)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

func TestADeletionIsAsRFC8078HasIt(t *testing.T) {
	s, _, _ := roll.Begin("example.test", policy, start).Next(start, roll.Facts{})
	s, err := s.Unsign(start)
	if err != nil {
		t.Fatal(err)
	}
	s, private := keyed(t, s)
	b, err := Make(s, private, start, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, set := range b.Stretches[0].Sets[1:] {
		texts = append(texts, strings.Join(strings.Fields(unpack(t, set.Type, set.TTL, set.Data[0]).String())[3:], " "))
	}
	if got, want := strings.Join(texts, "; "), "CDS 0 0 0 00; CDNSKEY 0 3 0 AA=="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestBundlesAreReadAsTheyWereWritten(t *testing.T) {
	_, b := make90(t)
	whole, err := Encode(b, true)
	if err != nil {
		t.Fatal(err)
	}
	public, err := Encode(b, false)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(whole)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(back, true)
	if err != nil || !bytes.Equal(again, whole) {
		t.Errorf("another one came back: %v", err)
	}
	for _, s := range b.Signing {
		raw, err := s.Key.Private().Bytes()
		if err != nil || bytes.Contains(public, raw) || bytes.Contains(public, fmt.Appendf(nil, "%x", raw)) || bytes.Contains(public, []byte(`"private"`)) {
			t.Errorf("the public part tells a secret (%v)", err)
		}
	}
	part, err := Decode(public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.At(start); err == nil {
		t.Error("a bundle without secrets signs")
	}
	secrets, err := Secrets([]Bundle{b})
	if err != nil {
		t.Fatal(err)
	}
	if part, err = Join(part, secrets); err != nil {
		t.Fatal(err)
	}
	if !part.Made.IsZero() || !back.Made.Equal(start) {
		t.Errorf("made on %v, and on %v by the public part", back.Made, part.Made)
	}
	part.Made = b.Made
	if joined, err := Encode(part, true); err != nil || !bytes.Equal(joined, whole) {
		t.Errorf("parts make another whole: %v", err)
	}
}

func TestDamagedBundlesAreRefused(t *testing.T) {
	_, b := make90(t)
	whole, err := Encode(b, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ bytes, want string }{
		{"", "damaged"},
		{string(whole[:len(whole)/2]), "damaged"},
		{string(whole) + "x", "damaged"},
		{strings.Replace(string(whole), "bundle 1", "bundle 9", 1), "format"},
		{strings.Replace(string(whole), `"set":0`, `"set":99`, 1), "no set 99"},
		{strings.Replace(string(whole), `"zone":"example.test"`, `"zone":""`, 1), "not a domain name"},
		{`{"format":"landfall dnssec bundle 1","zone":"example.test","sets":null,"stretches":null,"signing":null}`, "no keys"},
		{strings.Repeat("x", MaxSize+1), "longer"},
	} {
		if _, err := Decode([]byte(c.bytes)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q in it", c.bytes, err, c.want)
		}
	}
}

func TestKeysAreAsBINDHasThem(t *testing.T) {
	apex, err := zone.ParseName("example.test")
	if err != nil {
		t.Fatal(err)
	}
	k, err := dnssec.Generate(dnssec.KSK)
	if err != nil {
		t.Fatal(err)
	}
	public, private := FormatKey(apex, k, 3600)
	name, back, err := ParseKey(public, private)
	if err != nil || name != apex || !bytes.Equal(back.Public, k.Public) || !back.Private().Equal(k.Private()) {
		t.Errorf("%s %v %v", name, back, err)
	}
	other, err := dnssec.Generate(dnssec.KSK)
	if err != nil {
		t.Fatal(err)
	}
	_, wrong := FormatKey(apex, other, 3600)
	if _, _, err := ParseKey(public, wrong); err == nil {
		t.Error("halves of different keys are taken")
	}
	rr, err := dns.NewRR(public)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := DS(apex, k), rr.(*dns.DNSKEY).ToDS(dns.SHA256); !slices.Equal(strings.Fields(strings.ToUpper(got))[3:], strings.Fields(strings.ToUpper(want.String()))[4:]) {
		t.Errorf("%s, want %v", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	_, b := make90(f)
	for _, secrets := range []bool{true, false} {
		enc, err := Encode(b, secrets)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc)
	}
	f.Add([]byte(`{"format":"landfall dnssec bundle 1","zone":"a.test","end":"2026-03-01T00:00:00Z","sets":[],"stretches":[],"signing":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := Decode(in)
		if err != nil {
			return
		}
		_, _ = b.At(start)
		_ = b.Until()
		again, err := Encode(b, true)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(again); err != nil || back.Zone != b.Zone || len(back.Stretches) != len(b.Stretches) {
			t.Errorf("what was read is written otherwise: %v", err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	apex, err := zone.ParseName("example.test")
	if err != nil {
		f.Fatal(err)
	}
	k, err := dnssec.Generate(dnssec.ZSK)
	if err != nil {
		f.Fatal(err)
	}
	public, private := FormatKey(apex, k, 60)
	f.Add(public, private)
	f.Add(public, "")
	f.Add("example.test. IN DNSKEY 256 3 8 AwEAAQ==", "Private-key-format: v1.3\nAlgorithm: 8 (RSASHA256)\n")
	f.Fuzz(func(t *testing.T, public, private string) {
		name, k, err := ParseKey(public, private)
		if err == nil {
			if p, _ := FormatKey(name, k, 60); p == "" {
				t.Error("a key that was read cannot be written")
			}
		}
	})
}
