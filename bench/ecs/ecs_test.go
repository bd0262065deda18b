package ecs

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// server answers with an address that is the first three octets of the client
// subnet and a 1, behind an alias, and a scope of 20.
func server(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			q, r := new(dns.Msg), new(dns.Msg)
			if err := q.Unpack(buf[:n]); err != nil {
				t.Errorf("a query that is none: %v", err)
				return
			}
			subnet := q.IsEdns0().Option[0].(*dns.EDNS0_SUBNET)
			a := subnet.Address.To4()
			r.SetReply(q).SetEdns0(1232, false)
			r.Answer = append(r.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "x.test."},
				&dns.A{Hdr: dns.RR_Header{Name: "x.test.", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(a[0], a[1], a[2], 1)})
			r.IsEdns0().Option = append(r.IsEdns0().Option, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: subnet.SourceNetmask, SourceScope: 20, Address: a})
			b, err := r.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.WriteToUDPAddrPort(b, from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func client(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i)}), 24)
}

func TestEveryQuestionIsAnsweredThroughTheRelay(t *testing.T) {
	name := ParseName("www.example.com")
	r, err := NewRelay(server(t), name)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	seen := make([]bool, n)
	again, err := Load{Server: r.Addr, Name: name, Count: n, Flight: 16, Client: client, Got: func(i int, a Answer) {
		want := client(i).Addr().Next()
		if seen[i] || a.Addr != want || !a.Scoped || a.Scope != 20 || a.Code != 0 {
			t.Errorf("question %d: %+v, want %v with scope 20, once", i, a, want)
		}
		seen[i] = true
	}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Asked(); got != uint64(n+again) {
		t.Errorf("%d questions counted, want %d", got, n+again)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestPaceSeesEveryAnswer(t *testing.T) {
	saw, err := Pace{Server: server(t), Name: ParseName("www.example.com"), Rate: 2000, For: 200 * time.Millisecond, Client: client}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(saw.Took)+saw.Lost != 400 || saw.At(0.5) <= 0 || saw.At(1) < saw.At(0.5) {
		t.Errorf("%d answers, %d lost, median %v, longest %v", len(saw.Took), saw.Lost, saw.At(0.5), saw.At(1))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(AppendQuery(nil, 7, ParseName("www.example.com"), netip.MustParsePrefix("192.0.2.0/24")))
	f.Add(AppendQuery(nil, 7, ParseName("a"), netip.MustParsePrefix("2001:db8::/56")))
	f.Add([]byte{0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1, 0xc0})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(b)
		if err == nil && a.Addr.IsValid() && !a.Addr.Is4() {
			t.Errorf("%x: %v", b, a.Addr)
		}
	})
}
