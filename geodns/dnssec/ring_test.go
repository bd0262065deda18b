package dnssec

import (
	"strings"
	"testing"
	"time"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// At any time of a year, on clocks that are off, no signature has less than
// Left to go and none is from the future.
func TestSignaturesAreNeverNearTheirEnd(t *testing.T) {
	year := 365 * 24 * time.Hour
	k := local(t, "example.test", noon, noon.Add(year))
	for now := noon; now.Before(noon.Add(year)); now = now.Add(7*time.Hour + 13*time.Second) {
		r, err := k.At(now)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Next.After(now) || r.Next.After(now.Add(Step)) {
			t.Fatalf("at %s the next ring is due at %s", now, r.Next)
		}
		for _, off := range []time.Duration{-5 * time.Minute, 0, 5 * time.Minute} {
			if r.Window.From.After(now.Add(off)) || r.Window.Until.Sub(now.Add(off)) < Left-5*time.Minute {
				t.Fatalf("at %s: signatures hold from %s until %s", now, r.Window.From, r.Window.Until)
			}
		}
		for _, s := range r.Keys {
			verify(t, k.Zone, s, k.ksk(t, s), k.Zone)
			sig := record(t, k.Zone, dns.TypeRRSIG, 0, s.Sigs[0]).(*dns.RRSIG)
			if !sig.ValidityPeriod(now.Add(-5*time.Minute)) || !sig.ValidityPeriod(now.Add(Left-5*time.Minute)) {
				t.Fatalf("at %s: %v", now, sig)
			}
		}
		if r.Expires.Sub(now) < Left {
			t.Fatalf("at %s keys expire at %s", now, r.Expires)
		}
	}
}

// ksk is the key that signed a set.
func (k *Keys) ksk(t *testing.T, _ any) Key {
	t.Helper()
	r, _ := k.At(noon)
	for _, d := range r.Keys[0].Data {
		if key, err := ParseKey(d); err == nil && key.Flags() == KSK {
			return key
		}
	}
	t.Fatal("no KSK")
	return Key{}
}

func TestKeysTakeTurns(t *testing.T) {
	one, two := generate(t, ZSK), generate(t, ZSK)
	ksk := generate(t, KSK)
	zone := name(t, "example.test")
	k := Keys{Zone: zone, Signing: []Signing{{noon.Add(time.Hour), two}, {noon.Add(-time.Hour), one}}}
	s, err := NewStretch(zone, ksk, []Key{ksk, one, two}, noon)
	if err != nil {
		t.Fatal(err)
	}
	k.Stretches = []Stretch{s}
	k.Sort()
	if r, err := k.At(noon); err != nil || r.Key.Tag != one.Tag || !r.Next.Equal(noon.Add(time.Hour)) {
		t.Errorf("before: %v, %v", r, err)
	}
	if r, err := k.At(noon.Add(time.Hour)); err != nil || r.Key.Tag != two.Tag {
		t.Errorf("after: %v, %v", r, err)
	}
	// What was brought stays in use beyond its time.
	if r, err := k.At(noon.Add(3 * Step)); err != nil || r.Expires.After(noon.Add(Step+Left)) {
		t.Errorf("much later: %v, %v", r, err)
	}
}

func TestKeysThatWouldMakeAZoneBogus(t *testing.T) {
	good := func() Keys { return local(t, "example.test", noon, noon.Add(time.Hour)) }
	for want, spoil := range map[string]func(*Keys){
		"no keys are in force":    func(k *Keys) { k.Signing[0].From = noon.Add(time.Hour) },
		"are in force":            func(k *Keys) { k.Stretches[0].From = noon.Add(time.Hour) },
		"no private half":         func(k *Keys) { k.Signing[0].Key.private = nil },
		"is not in the DNSKEY":    func(k *Keys) { k.Signing[0].Key = generate(t, ZSK) },
		"there is no DNSKEY set":  func(k *Keys) { k.Stretches[0].Sets = k.Stretches[0].Sets[1:] },
		"set has no signature":    func(k *Keys) { k.Stretches[0].Sets[0].Sigs = nil },
		"is too short to be one":  func(k *Keys) { k.Stretches[0].Sets[0].Sigs[0] = make([]byte, 9) },
		"zone example.test: no k": func(k *Keys) { *k = Keys{Zone: k.Zone} },
	} {
		k := good()
		spoil(&k)
		if _, err := k.At(noon); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	k := good()
	if _, err := k.At(noon); err != nil {
		t.Error(err)
	}
}

// Keys come from elsewhere: whatever their bytes, they are used or refused.
func FuzzKeys(f *testing.F) {
	k := local(f, "example.test", noon, noon.Add(time.Hour))
	set := k.Stretches[0].Sets[0]
	f.Add(set.Data[0], set.Sigs[0])
	f.Add(set.Data[1][:20], set.Sigs[0][:19])
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, public, sig []byte) {
		if key, err := ParseKey(public); err == nil {
			if key.DS(k.Zone); key.Flags() != uint16(public[0])<<8|uint16(public[1]) {
				t.Errorf("flags %x", key.Flags())
			}
		}
		foreign := k
		foreign.Stretches = []Stretch{{From: noon.Add(-time.Hour), Sets: []zone.Set{
			{Type: dns.TypeDNSKEY, Data: [][]byte{public, k.Signing[0].Key.Public}, Sigs: [][]byte{sig}},
		}}}
		if r, err := foreign.At(noon); err == nil && r.Expires.IsZero() {
			t.Error("in force, for no time")
		}
	})
}
