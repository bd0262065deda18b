package tap

import (
	"encoding/json"
	"testing"

	"github.com/miekg/dns"
)

func TestLineTellsWhatWasAskedAndAnswered(t *testing.T) {
	tests := map[string]struct {
		client string
		whole  bool
		change func(q, a *dns.Msg)
		want   string
	}{
		"an address": {
			client: "198.51.100.77:4444", whole: true,
			want: `{"time":"2023-11-14T22:13:20.000005Z","client":"198.51.100.77","port":4444,"via":"udp","name":"wWw.App.test.","type":"A","rcode":"NOERROR","edge":"nyc1","size":86,"took_us":1.5}`,
		},
		"no more of the client than its network": {
			client: "198.51.100.77:4444",
			want:   `{"time":"2023-11-14T22:13:20.000005Z","client":"198.51.100.0","via":"udp","name":"wWw.App.test.","type":"A","rcode":"NOERROR","edge":"nyc1","size":86,"took_us":1.5}`,
		},
		"a subnet": {
			client: "[2001:db8:1:2:3::4]:4444",
			change: func(q, a *dns.Msg) { withSubnet(q, "203.0.113.77/32", 0); withSubnet(a, "203.0.113.77/32", 20) },
			want:   `{"time":"2023-11-14T22:13:20.000005Z","client":"2001:db8:1::","via":"udp","name":"wWw.App.test.","type":"A","rcode":"NOERROR","subnet":"203.0.113.0/32","scope":20,"edge":"nyc1","size":113,"took_us":1.5}`,
		},
		"a subnet of IPv6, as it is": {
			client: "[2001:db8:1:2:3::4]:4444", whole: true,
			change: func(q, a *dns.Msg) {
				withSubnet(q, "2001:db8:5:6700::/56", 0)
				withSubnet(a, "2001:db8:5:6700::/56", 48)
			},
			want: `{"time":"2023-11-14T22:13:20.000005Z","client":"2001:db8:1:2:3::4","port":4444,"via":"udp","name":"wWw.App.test.","type":"A","rcode":"NOERROR","subnet":"2001:db8:5:6700::/56","scope":48,"edge":"nyc1","size":116,"took_us":1.5}`,
		},
		"hints": {
			client: "198.51.100.77:4444",
			change: func(q, a *dns.Msg) {
				q.Question[0].Qtype, a.Question[0].Qtype = dns.TypeHTTPS, dns.TypeHTTPS
				a.Answer = []dns.RR{record(t, `wWw.App.test. 60 IN HTTPS 1 . alpn="h2" ipv4hint="192.0.2.1,192.0.2.2"`)}
			},
			want: `{"time":"2023-11-14T22:13:20.000005Z","client":"198.51.100.0","via":"udp","name":"wWw.App.test.","type":"HTTPS","rcode":"NOERROR","edge":"fra1","size":76,"took_us":1.5}`,
		},
		"a name that is not there": {
			client: "198.51.100.77:4444",
			change: func(_, a *dns.Msg) { a.Answer, a.Rcode = nil, dns.RcodeNameError },
			want:   `{"time":"2023-11-14T22:13:20.000005Z","client":"198.51.100.0","via":"udp","name":"wWw.App.test.","type":"A","rcode":"NXDOMAIN","size":30,"took_us":1.5}`,
		},
		"an rcode that needs EDNS": {
			client: "198.51.100.77:4444",
			change: func(_, a *dns.Msg) { a.Answer, a.Rcode = nil, dns.RcodeBadCookie; withSubnet(a, "10.0.0.0/8", 0) },
			want:   `{"time":"2023-11-14T22:13:20.000005Z","client":"198.51.100.0","via":"udp","name":"wWw.App.test.","type":"A","rcode":"BADCOOKIE","subnet":"10.0.0.0/8","scope":0,"size":54,"took_us":1.5}`,
		},
	}
	for name, tt := range tests {
		tap := &Tap{cfg: Config{Whole: tt.whole, Edge: edges}}
		s := slotOf(asked(t, tt.client, tt.change))
		if !tt.whole {
			veil(s)
		}
		got, err := json.Marshal(tap.describe(s))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, tt.want)
		}
	}
}

func TestSilenceIsToldBesideItsQuery(t *testing.T) {
	e := asked(t, "198.51.100.77:4444", nil)
	e.Answer = nil
	l := (&Tap{}).describe(slotOf(e))
	if l.Rcode != "SILENCE" || l.Name != "wWw.App.test." || l.Size != 0 {
		t.Errorf("%+v", l)
	}
}

// What cannot be read is told of, and not told.
func TestVeilHidesWhatItCannotRead(t *testing.T) {
	e := asked(t, "198.51.100.77:4444", func(q, _ *dns.Msg) { withSubnet(q, "203.0.113.77/32", 0) })
	e.Query = e.Query[:len(e.Query)-1]
	s := slotOf(e)
	veil(s)
	if s.Query != nil || s.Answer == nil {
		t.Errorf("query %x, answer %x", s.Query, s.Answer)
	}
}

func TestVeilChangesNothingElse(t *testing.T) {
	e := asked(t, "198.51.100.77:4444", func(q, a *dns.Msg) { withSubnet(q, "203.0.113.77/32", 0); withSubnet(a, "203.0.113.77/32", 20) })
	s := slotOf(e)
	veil(s)
	for name, b := range map[string][2][]byte{"query": {s.Query, e.Query}, "answer": {s.Answer, e.Answer}} {
		var got, was dns.Msg
		if err := got.Unpack(b[0]); err != nil {
			t.Fatal(err)
		}
		if err := was.Unpack(b[1]); err != nil {
			t.Fatal(err)
		}
		option := was.IsEdns0().Option[1].(*dns.EDNS0_SUBNET)
		option.Address[len(option.Address)-1] = 0
		if got.String() != was.String() {
			t.Errorf("%s:\n%v\nwas\n%v", name, &got, &was)
		}
	}
}

// Whatever comes, nothing breaks, and nothing of a veiled event tells more
// than networks.
func FuzzDescribe(f *testing.F) {
	for _, change := range []func(q, a *dns.Msg){
		nil,
		func(q, a *dns.Msg) { withSubnet(q, "203.0.113.77/32", 0); withSubnet(a, "203.0.113.77/32", 20) },
		func(q, a *dns.Msg) {
			a.Answer = []dns.RR{record(f, `wWw.App.test. 60 IN HTTPS 1 . alpn="h2" ipv6hint="2001:db8::1"`)}
			withSubnet(q, "2001:db8:5:6700::/56", 0)
		},
	} {
		e := asked(f, "198.51.100.77:4444", change)
		f.Add(e.Query, e.Answer)
	}
	f.Fuzz(func(t *testing.T, query, answer []byte) {
		tap := &Tap{cfg: Config{Edge: edges}}
		s := slotOf(Event{Query: query, Answer: answer})
		veil(s)
		tap.describe(s)
		tap.frames(s)
		for _, msg := range [][]byte{s.Query, s.Answer} {
			m, _ := read(msg)
			if len(m.subnet) < 4 {
				continue
			}
			keep := 4 + 6
			if m.subnet[1] == 1 {
				keep = 4 + 3
			}
			for _, b := range m.subnet[min(keep, len(m.subnet)):] {
				if b != 0 {
					t.Fatalf("the subnet %x tells too much", m.subnet)
				}
			}
		}
	})
}
