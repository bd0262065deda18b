package load

import (
	"bytes"
	"encoding/gob"
	"net"
	"net/netip"
	"testing"
	"time"

	"landfall/bench/ecs"

	"github.com/miekg/dns"
)

// serve answers on loopback until the test ends.
func serve(t *testing.T, answer func(q *dns.Msg) *dns.Msg) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		for buf := make([]byte, answerSize); ; {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			q := new(dns.Msg)
			if err := q.Unpack(buf[:n]); err != nil {
				t.Errorf("question %x: %v", buf[:n], err)
				return
			}
			a := answer(q)
			if a == nil {
				continue
			}
			packed, err := a.Pack()
			if err != nil {
				t.Errorf("answer: %v", err)
				return
			}
			conn.WriteToUDPAddrPort(packed, from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// told answers with an address.
func told(q *dns.Msg, addr string) *dns.Msg {
	a := new(dns.Msg)
	a.SetReply(q)
	a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.ParseIP(addr)}}
	return a
}

func question() Question {
	return Question{Name: ecs.ParseName("www.geo.test"), Type: TypeA, NSID: true, DO: true, Client: netip.MustParsePrefix("198.51.100.0/24"), Cookie: []byte(clientCookie)}
}

func queries(addr string) []Query {
	q := Query{Packet: question().Append(nil), Codes: 1 << dns.RcodeSuccess}
	if addr != "" {
		q.Addr = netip.MustParseAddr(addr)
	}
	return []Query{q}
}

func TestQuestionSaysAllThatItAsks(t *testing.T) {
	t.Parallel()
	q := new(dns.Msg)
	if err := q.Unpack(question().Append(nil)); err != nil {
		t.Fatal(err)
	}
	o := q.IsEdns0()
	if o == nil || !o.Do() || len(o.Option) != 3 || q.Question[0].Name != "www.geo.test." {
		t.Fatalf("asked %v", q)
	}
	if s, ok := o.Option[1].(*dns.EDNS0_SUBNET); !ok || s.String() != "198.51.100.0/24/0" {
		t.Errorf("subnet %v", o.Option[1])
	}
	plain := new(dns.Msg)
	if err := plain.Unpack((Question{Name: ecs.ParseName("geo.test"), Type: TypeSOA}).Append(nil)); err != nil || plain.IsEdns0() != nil {
		t.Errorf("%v: a question that needs no OPT record has one: %v", err, plain)
	}
}

func TestLoadCountsAnswers(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(q *dns.Msg) *dns.Msg { return told(q, "192.0.2.1") })
	for _, rate := range []int{0, 1000, spread} {
		saw, err := Load{Server: addr, Queries: queries("192.0.2.1"), Sockets: 3, Window: 8, Rate: rate, For: 50 * time.Millisecond, Every: 1}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if rate == 0 && saw.Answered == 0 || saw.Sent != saw.Answered+saw.Lost || saw.Wrong != 0 || len(saw.Took) != int(saw.Answered) {
			t.Errorf("rate %d: saw %+v", rate, saw)
		}
		if rate == 1000 && saw.Sent > 50 {
			t.Errorf("%d questions in 50 ms at 1000 a second", saw.Sent)
		}
	}
}

func TestLoadSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want   string
		answer func(q *dns.Msg) *dns.Msg
	}{
		"another address": {"192.0.2.2", func(q *dns.Msg) *dns.Msg { return told(q, "192.0.2.1") }},
		"no address":      {"192.0.2.2", func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetReply(q) }},
		"an address":      {"", func(q *dns.Msg) *dns.Msg { return told(q, "192.0.2.1") }},
		"a refusal":       {"", func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeRefused) }},
		"truncated":       {"192.0.2.1", func(q *dns.Msg) *dns.Msg { a := told(q, "192.0.2.1"); a.Truncated = true; return a }},
		"signed": {"192.0.2.1", func(q *dns.Msg) *dns.Msg {
			a := told(q, "192.0.2.1")
			a.Answer = append(a.Answer, &dns.RRSIG{Hdr: dns.RR_Header{Name: "geo.test.", Rrtype: dns.TypeRRSIG, Class: dns.ClassINET}, SignerName: "geo.test."})
			return a
		}},
	} {
		saw, err := Load{Server: serve(t, c.answer), Queries: queries(c.want), Sockets: 1, Window: 2, For: time.Millisecond, Every: 1}.Run(t.Context())
		if err != nil || saw.Answered == 0 || saw.Wrong != saw.Answered {
			t.Errorf("%s: %+v, %v", name, saw, err)
		}
	}
}

func TestLoadGivesUpOnAnswersThatDoNotCome(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(*dns.Msg) *dns.Msg { return nil })
	saw, err := Load{Server: addr, Queries: queries("192.0.2.1"), Sockets: 2, Window: 4, For: 10 * time.Millisecond, Every: 1}.Run(t.Context())
	if err != nil || saw.Sent != 8 || saw.Lost != 8 {
		t.Errorf("saw %+v, %v; want 8 questions, all lost", saw, err)
	}
}

func TestCookieIsTheServers(t *testing.T) {
	t.Parallel()
	whole := clientCookie + "sixteen bytes...."
	addr := serve(t, func(q *dns.Msg) *dns.Msg {
		a := new(dns.Msg).SetReply(q)
		a.SetEdns0(1232, false)
		a.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hexOf(whole)}}
		return a
	})
	got, err := Cookie(addr, ecs.ParseName("geo.test"))
	if err != nil || string(got) != whole {
		t.Errorf("%q, %v; want %q", got, err, whole)
	}
	if _, err := cookieIn([]byte("no cookie in here")); err == nil {
		t.Error("found a cookie where there is none")
	}
	if _, err := cookieIn([]byte("\x00\x0a\x00\x18" + clientCookie)); err == nil {
		t.Error("took a cookie that ends early")
	}
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	var out []byte
	for _, b := range []byte(s) {
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}

func TestServeRunsWhatItReads(t *testing.T) {
	t.Parallel()
	var in, out bytes.Buffer
	l := Load{
		Server:  serve(t, func(q *dns.Msg) *dns.Msg { return told(q, "192.0.2.1") }),
		Queries: queries("192.0.2.1"), Sockets: 1, Window: 2, For: time.Millisecond, Every: 1,
	}
	if err := gob.NewEncoder(&in).Encode(l); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), &in, &out); err != nil {
		t.Fatal(err)
	}
	var saw Saw
	if err := gob.NewDecoder(&out).Decode(&saw); err != nil || saw.Answered == 0 || saw.Wrong != 0 {
		t.Errorf("saw %+v, %v", saw, err)
	}
	if err := Serve(t.Context(), &in, &out); err == nil {
		t.Error("ran nothing")
	}
}

func TestLoadRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	good := Load{Server: netip.MustParseAddrPort("127.0.0.1:9"), Queries: queries(""), Sockets: 1, Window: 2, Every: 1}
	for name, spoil := range map[string]func(*Load){
		"no queries":       func(l *Load) { l.Queries = nil },
		"IPv6":             func(l *Load) { l.Server = netip.MustParseAddrPort("[::1]:9") },
		"no sockets":       func(l *Load) { l.Sockets = 0 },
		"no window":        func(l *Load) { l.Window = 0 },
		"a window too far": func(l *Load) { l.Window = 1<<16 + 1 },
		"nothing checked":  func(l *Load) { l.Every = 0 },
		"two lengths":      func(l *Load) { l.Queries = append(l.Queries, Query{Packet: make([]byte, 12)}) },
	} {
		l := good
		spoil(&l)
		if _, err := l.Run(t.Context()); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}
