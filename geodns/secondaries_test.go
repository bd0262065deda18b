package geodns

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/tsig"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// The secondary of these tests, at 192.0.2.77, and its key.
const (
	secondaryKey    = "transfer.test."
	secondaryAddr   = "192.0.2.77"
	secondarySecret = "thirty-two bytes of a shared secret"
)

func secondaryRing() *tsig.Ring {
	return tsig.NewRing(tsig.Key{Name: "\x08transfer\x04test\x00", Algorithm: tsig.SHA256, Secret: []byte(secondarySecret)})
}

func secrets() map[string]string {
	return map[string]string{secondaryKey: base64.StdEncoding.EncodeToString([]byte(secondarySecret))}
}

// copied is a map with a secondary that has a key.
func copied(records ...landfall.Record) *landfall.Map {
	m := testMap()
	m.Records = append(m.Records, records...)
	m.Secondaries = []landfall.Secondary{{Address: netip.MustParseAddrPort(secondaryAddr + ":53"), Key: secondaryKey}}
	return m
}

// secondaryTest runs a server on pipes in a bubble, and tells what its
// secondary hears.
func secondaryTest(t *testing.T, m *landfall.Map, test func(t *testing.T, s *Server, l *pipes, heard func() []uint32)) {
	synctest.Test(t, func(t *testing.T) {
		l, told := newPipes(), make(chan uint32, 100)
		s, err := New(Config{TCP: []net.Listener{l}, Atlas: testAtlas(), Secrets: secondaryRing(), Dial: func(context.Context, netip.AddrPort) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go hear(theirs, told)
			return ours, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		s.SetMap(m)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		synctest.Wait()
		test(t, s, l, func() (out []uint32) {
			for len(told) > 0 {
				out = append(out, <-told)
			}
			return out
		})
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// hear answers one message about a serial, as a secondary does.
func hear(conn net.Conn, told chan<- uint32) {
	defer conn.Close()
	buf := make([]byte, 2048)
	n, err := conn.Read(buf)
	if err != nil {
		return
	}
	m := new(dns.Msg)
	if m.Unpack(buf[:n]) != nil || len(m.Answer) != 1 {
		return
	}
	at, _ := tsig.Find(buf[:n])
	session, _ := secondaryRing().Verify(buf[:n], at, time.Now())
	told <- m.Answer[0].(*dns.SOA).Serial
	out, _ := new(dns.Msg).SetReply(m).Pack()
	conn.Write(session.Sign(out, time.Now()))
}

// fetch asks for a zone as the library does, and returns its records.
func fetch(t testing.TB, conn net.Conn, m *dns.Msg, signed bool) ([]dns.RR, error) {
	t.Helper()
	tr := &dns.Transfer{Conn: &dns.Conn{Conn: conn}}
	if signed {
		m.SetTsig(secondaryKey, dns.HmacSHA256, 300, time.Now().Unix())
		tr.TsigSecret = secrets()
	}
	answers, err := tr.In(m, "")
	if err != nil {
		return nil, err
	}
	var out []dns.RR
	for a := range answers {
		if a.Error != nil {
			err = a.Error
		}
		out = append(out, a.RR...)
	}
	return out, err
}

func whole() *dns.Msg { return new(dns.Msg).SetAxfr("landfall.test.") }

func since(serial uint32) *dns.Msg {
	return new(dns.Msg).SetIxfr("landfall.test.", serial, "fra1.ns.landfall.test.", "hostmaster.landfall.test.")
}

func serialIn(t testing.TB, rrs []dns.RR) uint32 {
	t.Helper()
	if len(rrs) > 0 {
		if soa, ok := rrs[0].(*dns.SOA); ok {
			return soa.Serial
		}
	}
	t.Fatalf("no SOA record first: %v", rrs)
	return 0
}

func TestSecondaryCopiesTheZone(t *testing.T) {
	secondaryTest(t, copied(), func(t *testing.T, s *Server, l *pipes, heard func() []uint32) {
		rrs, err := fetch(t, l.dialFrom(secondaryAddr), whole().SetEdns0(1232, true), true)
		if err != nil {
			t.Fatal(err)
		}
		serial := serialIn(t, rrs)
		last, ok := rrs[len(rrs)-1].(*dns.SOA)
		if !ok || last.Serial != serial {
			t.Errorf("ends with %v", rrs[len(rrs)-1])
		}
		var text []string
		for _, rr := range rrs {
			text = append(text, strings.ReplaceAll(rr.String(), "\t", " "))
		}
		for _, want := range []string{
			"landfall.test. 3600 IN NS fra1.ns.landfall.test.", "landfall.test. 3600 IN MX 10 mail.landfall.test.",
			"*.wild.landfall.test. 3600 IN TXT \"any name\"", "ns.sub.landfall.test. 3600 IN A 198.51.100.53",
			"chat.landfall.test. 20 IN A 192.0.2.1", `chat.landfall.test. 20 IN HTTPS 1 . alpn="h2,http/1.1" ipv4hint="192.0.2.1" ipv6hint="2001:db8::1"`,
		} {
			if !slices.Contains(text, want) {
				t.Errorf("%s is not in\n%s", want, strings.Join(text, "\n"))
			}
		}
		// Everybody is told the same serial.
		if got := serialIn(t, askBy(t, s, question("landfall.test", dns.TypeSOA), "10.1.0.1", true).Answer); got != serial {
			t.Errorf("the SOA record says %d, the transfer %d", got, serial)
		}
		if got := heard(); !slices.Equal(got, []uint32{serial}) {
			t.Errorf("the secondary heard %d, want %d", got, serial)
		}
		synctest.Wait()
		stats := s.TransferStats()
		if stats.Sent["whole"] != 1 || stats.Notified["heard"] != 1 || stats.Behind["192.0.2.77:53 landfall.test"] != 0 || stats.Serial["landfall.test"] != uint64(serial) {
			t.Errorf("figures: %+v", stats)
		}
	})
}

func TestSecondaryFollowsByDifferences(t *testing.T) {
	secondaryTest(t, copied(), func(t *testing.T, s *Server, l *pipes, heard func() []uint32) {
		rrs, err := fetch(t, l.dialFrom(secondaryAddr), whole(), true)
		if err != nil {
			t.Fatal(err)
		}
		first := serialIn(t, rrs)
		time.Sleep(time.Minute)
		m := copied(landfall.Record{Name: "late.landfall.test", Type: "A", Data: "198.51.100.77"})
		m.Serial++
		s.SetMap(m)
		time.Sleep(time.Minute)
		s.SetHealth(map[landfall.NodeID]bool{"fra1": true}) // whom nobody in particular heard of
		time.Sleep(time.Minute)
		if got := heard(); len(got) != 3 || got[0] != first || got[1] < first+55 || got[2] < got[1]+55 {
			t.Fatalf("the secondary heard %d", got)
		}
		rrs, err = fetch(t, l.dialFrom(secondaryAddr), since(first), true)
		if err != nil {
			t.Fatal(err)
		}
		var steps []string
		for _, rr := range rrs {
			if soa, ok := rr.(*dns.SOA); ok {
				steps = append(steps, fmt.Sprint(soa.Serial > first))
				continue
			}
			steps = append(steps, strings.Fields(rr.String())[0]+" "+dns.Type(rr.Header().Rrtype).String())
		}
		want := []string{
			"true", "false", "true", "late.landfall.test. A",
			"true", "chat.landfall.test. A", "chat.landfall.test. AAAA", "chat.landfall.test. HTTPS", "irc.landfall.test. A", "irc.landfall.test. AAAA",
			"true", "chat.landfall.test. A", "chat.landfall.test. AAAA", "chat.landfall.test. HTTPS", "irc.landfall.test. A", "irc.landfall.test. AAAA",
			"true",
		}
		if !slices.Equal(steps, want) {
			t.Errorf("got  %q\nwant %q", steps, want)
		}
		// Nothing newer is one record; what is too old is the whole zone.
		if rrs, err := fetch(t, l.dialFrom(secondaryAddr), since(serialIn(t, rrs)), true); err != nil || len(rrs) != 1 {
			t.Errorf("got %v, %v", rrs, err)
		}
		if rrs, err := fetch(t, l.dialFrom(secondaryAddr), since(first-1), true); err != nil || len(rrs) < 10 {
			t.Errorf("got %v, %v", rrs, err)
		}
		synctest.Wait()
		if got := s.TransferStats().Sent; got["whole"] != 2 || got["differences"] != 1 || got["alone"] != 1 {
			t.Errorf("figures: %v", got)
		}
	})
}

func TestSignedZoneIsCopiedWithItsSignatures(t *testing.T) {
	secondaryTest(t, copied(), func(t *testing.T, s *Server, l *pipes, _ func() []uint32) {
		keys := makeKeys(t, "landfall.test")
		s.SetKeys([]dnssec.Keys{keys})
		time.Sleep(2 * time.Second)
		rrs, err := fetch(t, l.dialFrom(secondaryAddr), whole(), true)
		if err != nil {
			t.Fatal(err)
		}
		rrs = rrs[:len(rrs)-1]
		v := trust(t, keys)
		chain, signed := map[string]string{}, map[string]bool{}
		for _, rr := range rrs {
			switch rr := rr.(type) {
			case *dns.NSEC:
				chain[rr.Hdr.Name] = rr.NextDomain
			case *dns.RRSIG:
				signed[rr.Hdr.Name+" "+dns.TypeToString[rr.TypeCovered]] = true
				if err := v.verify(rr, rrset(rrs, rr.Hdr.Name, rr.TypeCovered)); err != nil {
					t.Errorf("%v: %v", rr, err)
				}
			}
		}
		for _, want := range []string{"landfall.test. SOA", "landfall.test. DNSKEY", "chat.landfall.test. A", "chat.landfall.test. HTTPS", "*.wild.landfall.test. TXT", "sub.landfall.test. NSEC"} {
			if !signed[want] {
				t.Errorf("%s is not signed", want)
			}
		}
		if signed["sub.landfall.test. NS"] || signed["ns.sub.landfall.test. A"] {
			t.Error("what is delegated is signed")
		}
		at := "landfall.test."
		for range chain {
			at = chain[at]
		}
		if at != "landfall.test." || len(chain) < 8 {
			t.Errorf("the chain of %d names ends at %q", len(chain), at)
		}
	})
}

// A secondary that cannot be told but looks by itself is not told again.
func TestSecondaryThatLooksByItself(t *testing.T) {
	m := copied()
	m.Secondaries[0].Key = "unknown.test"
	m.Secondaries = append(m.Secondaries, landfall.Secondary{Address: netip.MustParseAddrPort("192.0.2.78:53"), Key: secondaryKey})
	secondaryTest(t, m, func(t *testing.T, s *Server, _ *pipes, _ func() []uint32) {
		s.notifier.Tell(nil)
		s.remember(s.current.Load()) // told anew, but not yet
		q := question("landfall.test", dns.TypeSOA)
		q.SetTsig(secondaryKey, dns.HmacSHA256, 300, time.Now().Unix())
		req, _, err := dns.TsigGenerate(q, secrets()[secondaryKey], "", false)
		if err != nil {
			t.Fatal(err)
		}
		s.respond(req, netip.MustParseAddrPort("192.0.2.78:4242"), viaUDP, nil)
		if got := s.TransferStats().Behind; got["192.0.2.78:53 landfall.test"] != 0 || got["192.0.2.77:53 landfall.test"] != 1 {
			t.Errorf("behind are %v", got)
		}
	})
}

func TestSerialsFollowOnlyWhereThereAreSecondaries(t *testing.T) {
	secondaryTest(t, testMap(), func(t *testing.T, s *Server, _ *pipes, heard func() []uint32) {
		time.Sleep(time.Minute)
		if got := serialIn(t, ask(t, s, question("landfall.test", dns.TypeSOA), "10.1.0.1").Answer); got != 7 {
			t.Errorf("serial %d, want the map's", got)
		}
		s.SetMap(copied())
		time.Sleep(2 * time.Second)
		with := serialIn(t, ask(t, s, question("landfall.test", dns.TypeSOA), "10.1.0.1").Answer)
		if with == 7 || !slices.Equal(heard(), []uint32{with}) {
			t.Errorf("serial %d", with)
		}
		negative := ask(t, s, question("none.landfall.test", dns.TypeA), "10.1.0.1")
		if got := serialIn(t, negative.Ns); got != with {
			t.Errorf("negative answers say %d, the SOA record %d", got, with)
		}
		s.SetMap(testMap())
		time.Sleep(2 * time.Second)
		if got := serialIn(t, ask(t, s, question("landfall.test", dns.TypeSOA), "10.1.0.1").Answer); got != 7 || s.histories()[zone.Name("\x08landfall\x04test\x00")] != nil {
			t.Errorf("serial %d without secondaries", got)
		}
	})
}
