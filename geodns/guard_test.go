package geodns

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/geodns/traffic"

	"github.com/miekg/dns"
)

// guarded makes a server with a limit that has a long answer to give.
func guarded(t *testing.T, rate int) *Server {
	t.Helper()
	s, err := New(Config{TCP: []net.Listener{unused{}}, Atlas: testAtlas(), Rate: rate, CookieSecret: [16]byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	m := testMap()
	for i := range 4 {
		m.Records = append(m.Records, landfall.Record{
			Name: "long.landfall.test", Type: "TXT", Data: fmt.Sprintf("%d%s", i, strings.Repeat("x", 79)),
		})
	}
	s.SetMap(m)
	return s
}

func long() *dns.Msg { return question("long.landfall.test", dns.TypeTXT).SetEdns0(4096, false) }

// withCookie adds a cookie in hexadecimal to a query.
func withCookie(m *dns.Msg, cookie string) *dns.Msg {
	if m.IsEdns0() == nil {
		m.SetEdns0(1232, false)
	}
	opt := m.IsEdns0()
	opt.Option = append(opt.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
	return m
}

// proven adds a cookie that the server has given to a client.
func proven(s *Server, m *dns.Msg, from string) *dns.Msg {
	valid := (*s.secret.Load())[0].Append(nil, []byte("12345678"), netip.MustParseAddr(from), time.Now())
	return withCookie(m.Copy(), hex.EncodeToString(valid))
}

func cookieOf(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

// try sends a message through respond; nil is silence.
func try(t *testing.T, s *Server, m *dns.Msg, from string, tcp bool) *dns.Msg {
	t.Helper()
	req, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	out := s.respond(req, netip.AddrPortFrom(netip.MustParseAddr(from), 5353), by(tcp), nil)
	if len(out) == 0 {
		return nil
	}
	answer := new(dns.Msg)
	if err := answer.Unpack(out); err != nil {
		t.Fatal(err)
	}
	return answer
}

// Somebody sends queries with the addresses of a victim's network.
func TestFloodIsNotAmplified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t, 0)
		req, err := long().Pack()
		if err != nil {
			t.Fatal(err)
		}
		sent, got, whole, cut, dropped := 0, 0, 0, 0, 0
		for i := range 30_000 { // in one second
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 53)
			out := s.respond(req, client, viaUDP, nil)
			sent, got = sent+len(req), got+len(out)
			switch {
			case len(out) == 0:
				dropped++
			case len(out) <= len(req):
				cut++
			default:
				whole++
			}
			time.Sleep(time.Second / 30_000)
		}
		t.Logf("%d bytes asked, %d answered: %d whole, %d cut, %d dropped", sent, got, whole, cut, dropped)
		if whole < 2*DefaultRate-1 || whole > 2*DefaultRate { // what was saved up, and what grew
			t.Errorf("%d whole answers, want %d", whole, 2*DefaultRate)
		}
		if cut < dropped || cut > dropped+1 {
			t.Errorf("%d cut, %d dropped: want one for one", cut, dropped)
		}
		if n := s.Stats().Limited; n != uint64(cut+dropped) {
			t.Errorf("%d counted as held back, want %d", n, cut+dropped)
		}
		if got := try(t, s, long(), "203.0.112.1", false); got == nil || len(got.Answer) != 4 {
			t.Errorf("the network beside it: %v", got)
		}
		time.Sleep(time.Second)
		if got := try(t, s, long(), "203.0.113.1", false); got == nil || len(got.Answer) != 4 {
			t.Errorf("a second later: %v", got)
		}
	})
}

// Nobody is hit by more than ten times as much as was sent in his name, where
// no cookie says that it is his.
func TestLongAnswersAreForThoseWhoProveTheirAddress(t *testing.T) {
	s := guarded(t, 0)
	m := testMap()
	for i := range 9 {
		m.Records = append(m.Records, landfall.Record{
			Name: "longer.landfall.test", Type: "TXT", Data: fmt.Sprintf("%d%s", i, strings.Repeat("x", 79)),
		})
	}
	s.SetMap(m)
	for _, do := range []bool{false, true} {
		q := question("longer.landfall.test", dns.TypeTXT).SetEdns0(1232, do)
		if got := try(t, s, q, "10.1.0.1", false); !got.Truncated || len(got.Answer) != 0 {
			t.Errorf("DO %v, no cookie: %v", do, got)
		}
		got := try(t, s, withCookie(q.Copy(), "0011223344556677"), "10.1.0.1", false)
		if !got.Truncated || len(got.Answer) != 0 {
			t.Errorf("DO %v, the client's cookie: %v", do, got)
		}
		if got := try(t, s, withCookie(q.Copy(), cookieOf(got)), "10.1.0.1", false); got.Truncated || len(got.Answer) != 9 {
			t.Errorf("DO %v, our cookie: %v", do, got)
		}
		if got := try(t, s, q, "10.1.0.1", true); got.Truncated || len(got.Answer) != 9 {
			t.Errorf("DO %v, by TCP: %v", do, got)
		}
	}
}

// exhaust uses up the allowance of a network, of five, for answers with
// records; what comes next is cut, what comes then dropped.
func exhaust(t *testing.T, s *Server, from string) {
	t.Helper()
	for range 11 {
		try(t, s, long(), from, false)
	}
}

func TestResolverOfAFloodedNetworkIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const client = "203.0.113.1"
		s := guarded(t, 5)
		exhaust(t, s, client)

		got := try(t, s, long(), client, false)
		if got == nil || !got.Truncated || len(got.Answer) != 0 {
			t.Fatalf("over the limit: %v, want a truncated answer", got)
		}
		if got := try(t, s, long(), client, false); got != nil {
			t.Fatalf("over the limit again: %v, want silence", got)
		}
		if got := try(t, s, long(), client, true); got == nil || len(got.Answer) != 4 {
			t.Errorf("by TCP: %v", got)
		}
		if got := try(t, s, question("nothing.landfall.test", dns.TypeA), client, false); got == nil || got.Rcode != dns.RcodeNameError || got.Truncated {
			t.Errorf("another kind of answer: %v", got)
		}

		got = try(t, s, withCookie(long(), "0011223344556677"), client, false)
		if got == nil || got.Rcode != dns.RcodeBadCookie || got.Truncated || len(got.Answer) != 0 || got.Authoritative {
			t.Fatalf("with a cookie of its own: %v, want BADCOOKIE", got)
		}
		cookie := cookieOf(got)
		for range 20 {
			if got := try(t, s, withCookie(long(), cookie), client, false); got == nil || len(got.Answer) != 4 {
				t.Fatalf("with our cookie: %v", got)
			}
		}
		if got := try(t, s, withCookie(long(), cookie), "203.0.113.2", false); got != nil {
			t.Errorf("with the cookie of another: %v, want silence", got)
		}
		if n := s.Stats(); n.Cookies["valid"] != 20 || n.Cookies["new"] != 2 || n.Answers["BADCOOKIE"] != 1 {
			t.Errorf("figures: %+v", n)
		}
		time.Sleep(time.Hour + time.Second)
		exhaust(t, s, client)
		if got := try(t, s, withCookie(long(), cookie), client, false); got == nil || got.Rcode != dns.RcodeBadCookie {
			t.Errorf("with a cookie too old: %v", got)
		}
	})
}

// Somebody proves his address, and asks for clients that he has not.
func TestWhatOneNetworkSaysOfClientsStaysBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t, -1)
		s.traffic = traffic.New()
		count := func(n int, from string, tcp bool) float64 {
			before := s.traffic.Freeze().Total()
			for range n {
				askBy(t, s, withSubnet(question("chat.landfall.test", dns.TypeA), "10.2.3.0/24"), from, tcp)
			}
			return s.traffic.Freeze().Total() - before
		}
		if n := count(5000, "10.1.0.1", true); n != word {
			t.Errorf("at once, %g are counted, want %d", n, word)
		}
		if n := count(5000, "10.1.0.1", false); n != hearsay {
			t.Errorf("by who may lie, %g are counted, want %d", n, hearsay)
		}
		if n := count(50, "10.9.0.1", true); n != 50 {
			t.Errorf("of another network, %g are counted", n)
		}
		// Where much is counted, a network may be a quarter of it.
		s.traffic = traffic.New()
		s.traffic.Tick(time.Now())
		for range 6000 {
			s.traffic.Add(netip.MustParseAddr("10.3.0.1"))
		}
		time.Sleep(time.Second)
		s.traffic.Tick(time.Now())
		s.traffic.Tick(time.Now())
		if n, want := count(5000, "10.1.0.1", true), 6000.0/part; math.Abs(n-want) > 1 {
			t.Errorf("of 6000 a second, %g are counted, want %g", n, want)
		}
	})
}

func TestCookieIsReturned(t *testing.T) {
	const own, theirs = "0011223344556677", "8899aabbccddeeff"
	for _, tt := range []struct {
		name, cookie string
		rcode        int
		told         bool
	}{
		{"none", "", dns.RcodeSuccess, false},
		{"the client's", own, dns.RcodeSuccess, true},
		{"with one of another server", own + theirs, dns.RcodeSuccess, true},
		{"with the longest", own + strings.Repeat(theirs, 4), dns.RcodeSuccess, true},
		{"too short", own[:14], dns.RcodeFormatError, false},
		{"between the sizes", own + theirs[:14], dns.RcodeFormatError, false},
		{"too long", own + strings.Repeat(theirs, 4) + "00", dns.RcodeFormatError, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := guarded(t, 0)
			for _, tcp := range []bool{false, true} {
				m := question("chat.landfall.test", dns.TypeA).SetEdns0(1232, false)
				if tt.cookie != "" {
					withCookie(m, tt.cookie)
				}
				got := try(t, s, m, "10.1.0.1", tcp)
				if got.Rcode != tt.rcode || (len(got.Answer) == 1) != (tt.rcode == dns.RcodeSuccess) {
					t.Errorf("%s with %d records", dns.RcodeToString[got.Rcode], len(got.Answer))
				}
				if c := cookieOf(got); (c != "") != tt.told || tt.told && (len(c) != 48 || !strings.HasPrefix(c, own)) {
					t.Errorf("got the cookie %q", c)
				}
			}
		})
	}
}

func TestEmptyCookieIsMalformed(t *testing.T) {
	s := guarded(t, 0)
	out := s.respond(wire(withOPT, "00 0029 1000 00000000 0004 000a0000"), netip.MustParseAddrPort("10.1.0.1:53"), viaUDP, nil)
	checkAnswer(t, wire(withOPT, ""), out, dns.RcodeFormatError, true)
}

// A query without a question asks for a cookie (RFC 7873, 5.4).
func TestQueryForACookieAlone(t *testing.T) {
	s := guarded(t, 0)
	tcp := false
	alone := func(cookie string) *dns.Msg {
		m := withCookie(new(dns.Msg), cookie)
		m.Id = 0xabcd
		return try(t, s, m, "10.1.0.1", tcp)
	}
	got := alone("0011223344556677")
	if got.Rcode != dns.RcodeSuccess || len(got.Question)+len(got.Answer)+len(got.Ns) != 0 || len(cookieOf(got)) != 48 {
		t.Errorf("the client's cookie: %v", got)
	}
	if got := alone(cookieOf(got)); got.Rcode != dns.RcodeSuccess || len(cookieOf(got)) != 48 {
		t.Errorf("a valid cookie: %v", got)
	}
	if got := alone(strings.Repeat("ab", 24)); got.Rcode != dns.RcodeBadCookie || len(cookieOf(got)) != 48 {
		t.Errorf("a bad cookie: %v", got)
	}
	tcp = true
	if got := alone(strings.Repeat("ab", 24)); got.Rcode != dns.RcodeBadCookie {
		t.Errorf("a bad cookie by TCP: %v", got)
	}
}

// Servers with one secret take each other's cookies; those without one make
// their own.
func TestSecrets(t *testing.T) {
	fresh := func(secret byte) *Server {
		s, err := New(Config{TCP: []net.Listener{unused{}}, CookieSecret: [16]byte{secret}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cookie := cookieOf(try(t, fresh(1), withCookie(long(), "0011223344556677"), "10.1.0.1", false))
	for name, tt := range map[string]struct {
		s     *Server
		valid uint64
	}{
		"the same": {fresh(1), 1}, "another": {fresh(2), 0}, "none": {fresh(0), 0},
	} {
		try(t, tt.s, withCookie(long(), cookie), "10.1.0.1", false)
		if n := tt.s.Stats().Cookies["valid"]; n != tt.valid {
			t.Errorf("%s: %d valid cookies, want %d", name, n, tt.valid)
		}
	}
	if a, b := fresh(0), fresh(0); (*a.secret.Load())[0] == (*b.secret.Load())[0] {
		t.Error("two servers made the same secret")
	}
}

func TestLimitedAnswerFitsTheQuery(t *testing.T) {
	s := guarded(t, 1)
	exhaust(t, s, "203.0.113.1")
	for _, m := range []*dns.Msg{
		long(),
		question("long.landfall.test", dns.TypeTXT),
		withSubnet(long(), "10.2.3.0/24"),
		withCookie(long(), hex.EncodeToString(bytes.Repeat([]byte{7}, 24))),
	} {
		req, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for len(out) == 0 {
			out = s.respond(req, netip.MustParseAddrPort("203.0.113.1:53"), viaUDP, nil)
		}
		if len(out) > len(req) {
			t.Errorf("%d bytes for a query of %d", len(out), len(req))
		}
	}
}
