package geodns

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/geodns/tsig"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

func TestWhoMayNotHaveTheZone(t *testing.T) {
	secondaryTest(t, copied(), func(t *testing.T, s *Server, l *pipes, _ func() []uint32) {
		signed := func(m *dns.Msg, key, secret string, when time.Time) []byte {
			m.SetTsig(key, dns.HmacSHA256, 300, when.Unix())
			b, _, err := dns.TsigGenerate(m, base64.StdEncoding.EncodeToString([]byte(secret)), "", false)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		pack := func(m *dns.Msg) []byte { b, _ := m.Pack(); return b }
		other := new(dns.Msg).SetAxfr("chat.landfall.test.")
		for _, tt := range []struct {
			name  string
			req   []byte
			via   transport
			rcode int
			wrong uint16
		}{
			{"unsigned", pack(whole()), viaTCP, dns.RcodeRefused, 0},
			{"by an unknown key", signed(whole(), "other.", secondarySecret, time.Now()), viaTCP, dns.RcodeNotAuth, tsig.BadKey},
			{"by a false secret", signed(whole(), secondaryKey, "another secret than the right one", time.Now()), viaTCP, dns.RcodeNotAuth, tsig.BadSig},
			{"at another time", signed(whole(), secondaryKey, secondarySecret, time.Now().Add(-time.Hour)), viaTCP, dns.RcodeNotAuth, tsig.BadTime},
			{"of no zone", signed(other, secondaryKey, secondarySecret, time.Now()), viaTCP, dns.RcodeNotAuth, 0},
			{"of others", pack(new(dns.Msg).SetAxfr("elsewhere.test.")), viaTCP, dns.RcodeNotAuth, 0},
			{"by UDP", signed(whole(), secondaryKey, secondarySecret, time.Now()), viaUDP, dns.RcodeRefused, 0},
			{"by HTTPS", signed(whole(), secondaryKey, secondarySecret, time.Now()), viaHTTPS, dns.RcodeRefused, 0},
			{"differences by UDP", signed(since(1), secondaryKey, secondarySecret, time.Now()), viaUDP, dns.RcodeSuccess, 0},
			{"differences by UDP, unsigned", pack(since(1)), viaUDP, dns.RcodeRefused, 0},
		} {
			if tt.via == viaTCP && s.transfer(tt.req, netip.MustParseAddrPort(secondaryAddr+":5353")) != nil {
				t.Errorf("%s: sent", tt.name)
			}
			got := new(dns.Msg)
			if err := got.Unpack(s.respond(tt.req, netip.MustParseAddrPort(secondaryAddr+":5353"), tt.via, nil)); err != nil {
				t.Fatal(err)
			}
			if got.Rcode != tt.rcode {
				t.Errorf("%s: %s, want %s", tt.name, dns.RcodeToString[got.Rcode], dns.RcodeToString[tt.rcode])
			}
			if rec := got.IsTsig(); rec != nil && rec.Error != tt.wrong || rec == nil && tt.wrong != 0 {
				t.Errorf("%s: signed %v", tt.name, rec)
			}
			if tt.rcode == dns.RcodeSuccess && len(got.Answer) != 1 {
				t.Errorf("%s: %v", tt.name, got.Answer)
			}
		}
		// The same may be asked by UDP for the serial, and hears it signed.
		m := question("landfall.test", dns.TypeSOA)
		req := signed(m, secondaryKey, secondarySecret, time.Now())
		sent := new(dns.Msg)
		if err := sent.Unpack(req); err != nil {
			t.Fatal(err)
		}
		out := s.respond(req, netip.MustParseAddrPort(secondaryAddr+":5353"), viaUDP, nil)
		if err := dns.TsigVerify(out, secrets()[secondaryKey], sent.IsTsig().MAC, false); err != nil {
			t.Error(err)
		}
		if got := s.TransferStats(); got.Unbelieved != 3*2 || got.Refused != 4 {
			t.Errorf("figures: %+v", got)
		}
	})
}

// Names as long as they may be leave no room for the signature that an answer
// should have: it is no longer than the client takes, for all that.
func TestSignedAnswersAreNoLongerThanAllowed(t *testing.T) {
	s := newServer(t, nil)
	long := strings.Repeat(strings.Repeat("k", 63)+".", 3) + strings.Repeat("k", 61) + "."
	for _, name := range []string{"key.", long} {
		for _, size := range []uint16{0, 512, 600, 1232} {
			m := question(long, dns.TypeA)
			if size > 0 {
				m.SetEdns0(size, false)
			}
			m.Extra = append(m.Extra, &dns.TSIG{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: name, TimeSigned: uint64(time.Now().Unix()), Fudge: 300, OrigId: m.Id})
			req, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			from := netip.MustParseAddrPort("10.1.0.1:53")
			out, got := s.respond(req, from, viaUDP, nil), new(dns.Msg)
			if err := got.Unpack(out); err != nil {
				t.Fatal(err)
			}
			if len(out) > int(max(size, dns.MinMsgSize)) || got.Rcode != dns.RcodeNotAuth || got.Truncated == (got.IsTsig() != nil) {
				t.Errorf("key %.5s, %d bytes allowed: %d bytes, %v", name, size, len(out), got)
			}
			if err := got.Unpack(s.respond(req, from, viaTCP, nil)); err != nil || got.Truncated || got.IsTsig() == nil {
				t.Errorf("key %.5s by TCP: %v, %v", name, got, err)
			}
		}
	}
}

// many are records enough for several messages.
func many() (out []landfall.Record) {
	for i := range 4000 {
		out = append(out, landfall.Record{Name: fmt.Sprintf("n%d.landfall.test", i), Type: "TXT", Data: strings.Repeat("x", 50)})
	}
	return out
}

// open is a map that everybody may copy from one address.
func open() *landfall.Map {
	m := copied(many()...)
	m.Secondaries = []landfall.Secondary{{From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}}
	return m
}

func TestTransferKeepsNobodyWaiting(t *testing.T) {
	secondaryTest(t, open(), func(t *testing.T, s *Server, l *pipes, _ func() []uint32) {
		conn := l.dial()
		defer conn.Close()
		var all []byte
		zone, other := whole(), question("chat.landfall.test", dns.TypeA)
		zone.Id, other.Id = 1, 2
		for _, m := range []*dns.Msg{zone, other} {
			all = append(all, framed(t, m)...)
		}
		if _, err := conn.Write(all); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var order []uint16
		for soa := 0; soa < 2 || !slices.Contains(order, 2); {
			m := readFramed(t, conn)
			order = append(order, m.Id)
			for _, rr := range m.Answer {
				if rr.Header().Rrtype == dns.TypeSOA {
					soa++
				}
			}
		}
		if at := slices.Index(order, 2); at > 2 || len(order) < 15 {
			t.Errorf("answered in the order %d", order)
		}
	})
}

// What is sent beside a transfer takes its place in memory, not its question or
// its signatures.
func TestSignedTransferAmongOtherQueries(t *testing.T) {
	secondaryTest(t, copied(many()...), func(t *testing.T, s *Server, l *pipes, _ func() []uint32) {
		conn := l.dialFrom(secondaryAddr)
		defer conn.Close()
		m := whole()
		m.SetTsig(secondaryKey, dns.HmacSHA256, 300, time.Now().Unix())
		req, mac, err := dns.TsigGenerate(m, secrets()[secondaryKey], "", false)
		if err != nil {
			t.Fatal(err)
		}
		all := append(binary.BigEndian.AppendUint16(nil, uint16(len(req))), req...)
		for range 5 {
			all = append(all, framed(t, question(strings.Repeat("long.", 30)+"chat.landfall.test", dns.TypeA))...)
		}
		go conn.Write(all)
		messages, others := 0, 0
		for soa := 0; soa < 2 || others < 5; {
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				t.Fatal(err)
			}
			raw := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, raw); err != nil {
				t.Fatal(err)
			}
			got := new(dns.Msg)
			if err := got.Unpack(raw); err != nil {
				t.Fatal(err)
			}
			if got.Id != m.Id {
				others++
				continue
			}
			if err := dns.TsigVerify(raw, secrets()[secondaryKey], mac, messages > 0); err != nil {
				t.Fatalf("message %d: %v", messages, err)
			}
			mac = got.IsTsig().MAC
			messages++
			for _, rr := range got.Answer {
				if rr.Header().Rrtype == dns.TypeSOA {
					soa++
				}
			}
		}
		if messages < 15 {
			t.Errorf("%d messages", messages)
		}
	})
}

func TestSlowReaderOfAZone(t *testing.T) {
	secondaryTest(t, open(), func(t *testing.T, s *Server, l *pipes, _ func() []uint32) {
		// Who reads a message now and then gets it all, and may think about the
		// next query afterwards.
		conn := l.dial()
		defer conn.Close()
		conn.Write(framed(t, whole()))
		messages := 0
		for soa := 0; soa < 2; messages++ {
			for _, rr := range readFramed(t, conn).Answer {
				if rr.Header().Rrtype == dns.TypeSOA {
					soa++
				}
			}
			time.Sleep(idle - time.Second)
		}
		if messages < 15 || !asks(t, conn) {
			t.Errorf("%d messages", messages)
		}
		// Who reads nothing is let go.
		stuck := l.dial()
		stuck.Write(framed(t, whole()))
		time.Sleep(2*idle + time.Second)
		synctest.Wait()
		if got := s.TransferStats(); got.Sent["whole"] != 1 || got.Failed != 1 {
			t.Errorf("figures: %+v", got)
		}
		if n, err := io.Copy(io.Discard, stuck); err != nil || n != 0 {
			t.Errorf("%d bytes more, %v", n, err)
		}
		stuck.Close()
	})
}

// FuzzTransfer gives queries for transfers that strangers have bent: each is
// sent a zone that can be read, or nothing.
func FuzzTransfer(f *testing.F) {
	s := newServer(f, func(m *landfall.Map) { m.Secondaries = open().Secondaries })
	s.recopy(s.current.Load())
	current := s.histories()[mustName(f, "landfall.test")].Serial()
	for _, m := range []*dns.Msg{whole(), since(current), since(current - 1), whole().SetEdns0(512, true)} {
		b, _ := m.Pack()
		f.Add(b)
	}
	from := netip.MustParseAddrPort("10.1.0.1:53")
	f.Fuzz(func(t *testing.T, req []byte) {
		zone := s.transfer(req, from)
		if zone == nil {
			return
		}
		zone.send(func(msg []byte) error {
			m := new(dns.Msg)
			if err := m.Unpack(msg); err != nil || !m.Response || len(m.Answer) == 0 {
				t.Fatalf("%x: %v, %v", req, m, err)
			}
			return nil
		})
	})
}

func mustName(t testing.TB, s string) zone.Name {
	t.Helper()
	n, err := zone.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
