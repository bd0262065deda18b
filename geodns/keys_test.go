package geodns

import (
	"bytes"
	"context"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// Week after week every signature in every answer has long to go, and none is
// of the future, whatever clock one looks at.
func TestSignaturesAreMadeAnewInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, signedMap)
		const weeks = 9
		apex, err := zone.ParseName("landfall.test")
		if err != nil {
			t.Fatal(err)
		}
		ksk, zsk := newKey(t, dnssec.KSK), newKey(t, dnssec.ZSK)
		keys, err := dnssec.Local(apex, ksk, zsk, time.Now(), time.Now().Add(weeks*7*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetKeys([]dnssec.Keys{keys}); err != nil {
			t.Fatal(err)
		}
		v := trust(t, keys)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.keepSigned(ctx) })
		seen := map[uint32]bool{}
		for begun := time.Now(); time.Since(begun) < weeks*7*24*time.Hour; time.Sleep(17*time.Hour + 11*time.Minute) {
			synctest.Wait()
			v.now = time.Now()
			for _, name := range []string{"chat", "mail", "nothing", "x.wild", "sub"} {
				for _, rrtype := range []uint16{dns.TypeA, dns.TypeDNSKEY} {
					m := askBy(t, s, withDO(question(name+".landfall.test", rrtype), false), "10.2.0.1", true)
					if _, err := v.validate(name+".landfall.test.", rrtype, m); err != nil {
						t.Fatalf("%s after %s: %v", name, time.Since(begun), err)
					}
				}
			}
			m := askBy(t, s, withDO(question("landfall.test", dns.TypeDNSKEY), false), "10.2.0.1", true)
			if _, err := v.validate("landfall.test.", dns.TypeDNSKEY, m); err != nil {
				t.Fatalf("keys after %s: %v", time.Since(begun), err)
			}
			seen[signature(m.Answer, "landfall.test.", dns.TypeDNSKEY).Expiration] = true
		}
		stop()
		running.Wait()
		if len(seen) < weeks*7/4 {
			t.Errorf("signatures were made %d times in %d weeks", len(seen), weeks)
		}
	})
}

func newKey(t testing.TB, flags uint16) dnssec.Key {
	t.Helper()
	k, err := dnssec.Generate(flags)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A key takes the place of another at its time, on all name servers alike, and
// no answer is bogus at any time.
func TestKeysAreChangedWhileAnswering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		apex, _ := zone.ParseName("landfall.test")
		ksk, one, two := newKey(t, dnssec.KSK), newKey(t, dnssec.ZSK), newKey(t, dnssec.ZSK)
		var shown []dnssec.Stretch
		for i := range 3 {
			stretch, err := dnssec.NewStretch(apex, ksk, []dnssec.Key{ksk, one, two}, time.Now().Add(time.Duration(i)*dnssec.Step))
			if err != nil {
				t.Fatal(err)
			}
			shown = append(shown, stretch)
		}
		turn := time.Now().Add(30 * time.Hour)
		keys := dnssec.Keys{Zone: apex, Stretches: shown, Signing: []dnssec.Signing{{From: time.Now(), Key: one}, {From: turn, Key: two}}}
		if err := s.SetKeys([]dnssec.Keys{keys}); err != nil {
			t.Fatal(err)
		}
		v := trust(t, keys)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.keepSigned(ctx) })
		for range 60 {
			synctest.Wait()
			v.now = time.Now()
			want := one.Tag
			if !v.now.Before(turn) {
				want = two.Tag
			}
			for _, name := range []string{"chat.landfall.test.", "nothing.landfall.test."} {
				m := askBy(t, s, withDO(question(name, dns.TypeA), false), "10.2.0.1", true)
				if _, err := v.validate(name, dns.TypeA, m); err != nil {
					t.Fatalf("%s: %v", v.now, err)
				}
				for _, rr := range slices.Concat(m.Answer, m.Ns) {
					if sig, ok := rr.(*dns.RRSIG); ok && sig.KeyTag != want {
						t.Fatalf("%s: signed by %d, want %d", v.now, sig.KeyTag, want)
					}
				}
			}
			time.Sleep(time.Hour)
		}
		stop()
		running.Wait()
	})
}

// Keys that would make a zone bogus are refused, and the old ones stay.
func TestBadKeysChangeNothing(t *testing.T) {
	s, v := signedServer(t)
	bad := makeKeys(t, "landfall.test")
	bad.Signing[0].Key = newKey(t, dnssec.ZSK) // not among those shown
	if err := s.SetKeys([]dnssec.Keys{bad}); err == nil || !strings.Contains(err.Error(), "is not in the DNSKEY set") {
		t.Errorf("no word of it: %v", err)
	}
	m := askBy(t, s, withDO(question("chat.landfall.test", dns.TypeA), false), "10.1.0.1", true)
	if verdict, err := v.validate("chat.landfall.test.", dns.TypeA, m); err != nil || verdict != positive {
		t.Errorf("%s, %v", verdict, err)
	}
	if m := askBy(t, s, withDO(question("static.other.test", dns.TypeA), false), "10.1.0.1", true); len(m.Answer) != 1 {
		t.Errorf("a zone that no keys are given for is still signed: %v", m)
	}
	if err := s.SetKeys(nil); err != nil {
		t.Fatal(err)
	}
	if m := askBy(t, s, withDO(question("chat.landfall.test", dns.TypeA), false), "10.1.0.1", true); len(m.Answer) != 2 {
		t.Errorf("without keys: %v", m)
	}
}

// A zone that has to be signed and cannot be is not answered for; others are,
// and so is it as soon as it can be.
func TestZonesThatHaveToBeSigned(t *testing.T) {
	s := newServer(t, signedMap)
	keys := makeKeys(t, "landfall.test")
	if err := s.SetKeys([]dnssec.Keys{{Zone: keys.Zone}}); err == nil {
		t.Error("no word of keys that are missing")
	}
	for name, want := range map[string]int{
		"chat.landfall.test": dns.RcodeServerFailure, "nothing.landfall.test": dns.RcodeServerFailure, "sub.landfall.test": dns.RcodeServerFailure,
		"static.other.test": dns.RcodeSuccess, "child.landfall.test": dns.RcodeSuccess,
	} {
		if got := ask(t, s, question(name, dns.TypeTXT), "10.1.0.1"); got.Rcode != want || got.Authoritative != (want == dns.RcodeSuccess) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := s.SetKeys([]dnssec.Keys{keys}); err != nil {
		t.Fatal(err)
	}
	m := askBy(t, s, withDO(question("chat.landfall.test", dns.TypeA), false), "10.1.0.1", true)
	if verdict, err := trust(t, keys).validate("chat.landfall.test.", dns.TypeA, m); verdict != positive || err != nil {
		t.Errorf("%s, %v", verdict, err)
	}
}

// A name server makes no signature for what it could make one for ahead, and
// what comes back was signed before.
func TestSignaturesAreMadeAhead(t *testing.T) {
	s, v := signedServer(t)
	made := s.signatures.Made
	askAll := func() {
		for _, z := range s.current.Load().zones.All() {
			for _, n := range z.Names() {
				for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeTXT, dns.TypeDS, dns.TypeDNSKEY} {
					for _, from := range []string{"10.1.0.1", "10.2.0.1", "10.3.0.1", "203.0.113.1"} {
						askBy(t, s, withDO(question(n.String(), rrtype), false), from, true)
					}
				}
			}
		}
	}
	before := made()
	askAll()
	if n := made() - before; n != 0 {
		t.Errorf("%d signatures were made for queries", n)
	}
	if n := s.online.made.Load(); n != 2 { // two aliases lead to names that do not exist
		t.Errorf("%d signatures were made of names that were known ahead", n)
	}
	s.SetHealth(map[landfall.NodeID]bool{"nyc1": true})
	flip := made() - before
	askAll()
	if n := made() - before; n != flip || n > 20 {
		t.Errorf("%d signatures were made for a dead edge, %d for queries", flip, n-flip)
	}
	s.SetHealth(nil)
	s.SetChallenges(map[string][]string{"_acme-challenge.chat.landfall.test": {"x"}})
	askAll()
	if n := made() - before; n != flip {
		t.Errorf("%d signatures were made of what was signed before", n-flip)
	}
	m := askBy(t, s, withDO(question("_acme-challenge.chat.landfall.test", dns.TypeTXT), false), "10.1.0.1", true)
	if verdict, err := v.validate("_acme-challenge.chat.landfall.test.", dns.TypeTXT, m); verdict != positive || err != nil {
		t.Errorf("challenge: %s, %v", verdict, err)
	}
}

// A dead edge is not named any longer before anything is signed anew, and what
// is told instead is signed all the same.
func TestDeadEdgesDoNotWaitForSignatures(t *testing.T) {
	s, v := signedServer(t)
	was := s.current.Load()
	s.making.Lock() // as while all is signed anew
	var telling sync.WaitGroup
	telling.Go(func() { s.SetHealth(map[landfall.NodeID]bool{"nyc1": true}) })
	for s.current.Load() == was {
		runtime.Gosched()
	}
	for range 2 {
		m := askBy(t, s, withDO(question("chat.landfall.test", dns.TypeA), false), "10.2.0.1", true)
		if verdict, err := v.validate("chat.landfall.test.", dns.TypeA, m); verdict != positive || err != nil || strings.Contains(m.String(), "192.0.2.2") {
			t.Errorf("%s, %v: %v", verdict, err, m)
		}
	}
	s.making.Unlock()
	telling.Wait()
}

// A snapshot in which an edge is dead is in force before it is signed through;
// others wait for that.
func TestOnlyDeadEdgesComeBeforeSignatures(t *testing.T) {
	s, v := signedServer(t)
	for _, died := range []bool{false, true} {
		s.mu.Lock()
		if died {
			s.in.Down = map[landfall.NodeID]bool{"nyc1": true}
		}
		s.in.replanned()
		in := s.in
		s.mu.Unlock()
		next := s.snapshot(in, s.current.Load())
		if s.sooner(next); (s.current.Load() == next) != died {
			t.Errorf("an edge died: %v; in force before its signatures: %v", died, !died)
		}
		if made := next.sigs["\x04chat\x08landfall\x04test\x00"].sigs[0][0].Load(); made != nil {
			t.Error("signatures are there before anybody made them")
		}
	}
	m := askBy(t, s, withDO(question("chat.landfall.test", dns.TypeA), false), "10.2.0.1", true)
	if verdict, err := v.validate("chat.landfall.test.", dns.TypeA, m); verdict != positive || err != nil || strings.Contains(m.String(), "192.0.2.2") {
		t.Errorf("%s, %v: %v", verdict, err, m)
	}
}

// An answer whose signatures do not fit tells the client to come by TCP, and
// one that is not for a validator has none.
func TestSignedAnswersThatDoNotFit(t *testing.T) {
	s, _ := signedServer(t)
	m := question("x.lost.landfall.test", dns.TypeA) // nor is there what it is an alias of
	m.SetEdns0(512, true)
	if got := ask(t, s, m, "10.1.0.1"); !got.Truncated || len(got.Ns) != 0 {
		t.Errorf("in 512 bytes: %v", got)
	}
	if got := askBy(t, s, m, "10.1.0.1", true); got.Truncated || len(got.Ns) != 6 {
		t.Errorf("by TCP: %v", got)
	}
	got := ask(t, s, question("nothing.landfall.test", dns.TypeA), "10.1.0.1")
	if got.Rcode != dns.RcodeNameError || len(got.Ns) != 1 || len(got.Answer) != 0 {
		t.Errorf("without DO: %v", got)
	}
	// AD and CD mean nothing to who has authority (RFC 4035, 3.1.6).
	m = withDO(question("mail.landfall.test", dns.TypeA), false)
	m.AuthenticatedData, m.CheckingDisabled = true, true
	if got := askBy(t, s, m, "10.1.0.1", true); got.AuthenticatedData || got.CheckingDisabled || !got.IsEdns0().Do() {
		t.Errorf("bits: %v", got)
	}
}

// Two name servers with the same keys make the very same signatures.
func TestNameServersSignAlike(t *testing.T) {
	keys := []dnssec.Keys{makeKeys(t, "landfall.test")}
	var servers [2]*Server
	for i := range servers {
		servers[i] = newServer(t, signedMap)
		if err := servers[i].SetKeys(keys); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range servers[0].current.Load().zones.Domain().Names() {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeHTTPS, dns.TypeSOA, dns.TypeTXT, dns.TypeANY, dns.TypeDNSKEY} {
			for _, name := range []string{n.String(), "x." + n.String()} {
				if len(name) > 200 {
					continue
				}
				m := withDO(question(name, rrtype), false)
				req, err := m.Pack()
				if err != nil {
					t.Fatal(err)
				}
				from := netip.MustParseAddrPort("10.2.0.1:5353")
				if a, b := servers[0].respond(req, from, viaTCP, nil), servers[1].respond(req, from, viaTCP, nil); !bytes.Equal(a, b) {
					t.Errorf("%s %s:\n%x\n%x", name, dns.Type(rrtype), a, b)
				}
			}
		}
	}
}
