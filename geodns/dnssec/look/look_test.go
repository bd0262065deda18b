package look

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/dnssec/roll"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var policy = roll.Policy{
	KeyTTL: time.Hour, ZoneTTL: time.Hour, ParentTTL: time.Hour, ParentLag: time.Hour, Propagation: time.Hour, Ahead: 24 * time.Hour, Carried: true,
}

// serve answers queries on a loopback address until the test ends.
func serve(t *testing.T, answer func(q dns.Question, m *dns.Msg)) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: c, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Authoritative = true
		answer(q.Question[0], m)
		_ = w.WriteMsg(m) // who asked asks again
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.ActivateAndServe() })
	<-up
	t.Cleanup(func() { _ = s.Shutdown(); serving.Wait() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// zoneOf answers as a name server with a state at a time does.
func zoneOf(t *testing.T, s roll.State, private map[roll.ID]dnssec.Key, at time.Time) func(dns.Question, *dns.Msg) {
	t.Helper()
	b, err := bundle.Make(s, private, at, at.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := b.At(at)
	if err != nil {
		t.Fatal(err)
	}
	return func(q dns.Question, m *dns.Msg) {
		if q.Qtype == dns.TypeSOA {
			m.Answer = append(m.Answer, &dns.RRSIG{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET}, TypeCovered: dns.TypeSOA, KeyTag: ring.Key.Tag, SignerName: q.Name})
		}
		for _, set := range ring.Keys {
			if set.Type == q.Qtype {
				m.Answer = append(m.Answer, records(t, ring.Zone, set)...)
			}
		}
	}
}

func records(t *testing.T, apex zone.Name, set zone.Set) (out []dns.RR) {
	for _, d := range set.Data {
		wire := append([]byte(apex), byte(set.Type>>8), byte(set.Type), 0, 1, 0, 0, 0, 60, byte(len(d)>>8), byte(len(d)))
		rr, _, err := dns.UnpackRR(append(wire, d...), 0)
		if err != nil {
			t.Error(err)
			continue
		}
		out = append(out, rr)
	}
	return out
}

// rolling is a zone of which a KSK is asked for, with the private halves.
func rolling(t *testing.T) (roll.State, map[roll.ID]dnssec.Key, time.Time) {
	t.Helper()
	s, _, _ := roll.Begin("example.test", policy, begin).Next(begin, roll.Facts{})
	private := map[roll.ID]dnssec.Key{}
	for _, k := range s.Keys {
		flags := dnssec.ZSK
		if k.Role == roll.KSK {
			flags = dnssec.KSK
		}
		key, err := dnssec.Generate(flags)
		if err != nil {
			t.Fatal(err)
		}
		private[k.ID] = key
		s = s.Made(k.ID, key.Public)
	}
	return s, private, begin.Add(4 * time.Hour)
}

func TestNameServersThatLagAreSeen(t *testing.T) {
	s, private, at := rolling(t)
	good, late := serve(t, zoneOf(t, s, private, at)), serve(t, zoneOf(t, s, private, begin))
	unsigned := serve(t, func(dns.Question, *dns.Msg) {})
	for _, c := range []struct {
		servers []netip.AddrPort
		current bool
		note    string
	}{
		{[]netip.AddrPort{good}, true, ""},
		{[]netip.AddrPort{good, late}, false, "asks the parent zone for something else"},
		{[]netip.AddrPort{unsigned, good}, false, "shows other keys"},
		{nil, false, ""},
	} {
		f, notes := Looker{}.Facts(t.Context(), s, c.servers, at)
		if f.Current != c.current || !strings.Contains(strings.Join(notes, "\n"), c.note) {
			t.Errorf("%v: %v, %q", c.servers, f, notes)
		}
	}
}

func TestTheParentZoneIsLookedAt(t *testing.T) {
	s, private, at := rolling(t)
	apex, err := zone.ParseName("example.test")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var ds [][]byte
	refuses := false
	// One server is the resolver, and the parent zone's.
	above := serve(t, func(q dns.Question, m *dns.Msg) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case q.Qtype == dns.TypeNS && q.Name == "test.":
			m.Answer = append(m.Answer, &dns.NS{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeNS, Class: dns.ClassINET}, Ns: "ns.test."})
		case q.Qtype == dns.TypeA && q.Name == "ns.test.":
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)})
		case q.Qtype == dns.TypeDS && refuses:
			m.Rcode = dns.RcodeRefused
		case q.Qtype == dns.TypeDS:
			m.Answer = append(m.Answer, records(t, apex, zone.Set{Type: dns.TypeDS, Data: ds})...)
		}
	})
	l := Looker{Resolvers: []netip.AddrPort{above}, Port: above.Port()}
	look := func() roll.Parent {
		f, _ := l.Facts(t.Context(), s, nil, at)
		return f.Parent
	}
	if p := look(); !p.Known || !p.None || len(p.All) > 0 {
		t.Errorf("without DS: %+v", p)
	}
	mu.Lock()
	ds = [][]byte{private[1].DS(apex)}
	mu.Unlock()
	if p := look(); !p.Known || p.None || len(p.All) != 1 || p.All[0] != 1 || p.TTL != time.Minute {
		t.Errorf("with DS: %+v", p)
	}
	mu.Lock()
	refuses = true
	mu.Unlock()
	if p := look(); p.Known {
		t.Errorf("a server that refuses tells something: %+v", p)
	}
	if f, _ := l.Facts(t.Context(), s, nil, begin); f.Parent.Known {
		t.Error("the parent zone is looked at while nothing is asked of it")
	}
}
