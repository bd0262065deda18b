package zone

import (
	"fmt"
	"strings"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// FuzzRecord gives records as an operator might write them: each is a fault or
// can be read back, and no other name changes.
func FuzzRecord(f *testing.F) {
	for _, r := range [][3]string{
		{"x.landfall.test", "A", "192.0.2.1"}, {"x.landfall.test", "MX", "10 mail"}, {"*.landfall.test", "TXT", `"a\"b" c`},
		{"_443._tcp.landfall.test", "TLSA", "3 1 1 00"}, {"x.landfall.test", "TYPE65280", `\# 2 abcd`}, {"landfall.test", "CAA", `0 issue ";"`},
		{"sub.landfall.test", "NS", "ns.sub"}, {"x.landfall.test", "SVCB", "1 . alpn=h2"}, {`a\.b.landfall.test`, "CNAME", "@"},
	} {
		f.Add(r[0], r[1], r[2])
	}
	f.Fuzz(func(t *testing.T, host, rrtype, data string) {
		zones, faults := Build(testMap(landfall.Record{Name: host, Type: rrtype, Data: data}), map[string][]string{host: {data}})
		z := zones.Domain()
		for _, n := range z.Names() {
			m := z.Find(n)
			if !n.Within(z.Apex) || m.Kind != Found && m.Kind != Delegated {
				t.Fatalf("%q: kind %d", n, m.Kind)
			}
			if back := name(t, n.String()); back != n {
				t.Fatalf("%q is written %q and read %q", n, n, back)
			}
			if m.Node != nil {
				readBack(t, n, m.Node)
			}
		}
		if len(faults) > 2 {
			t.Fatalf("faults: %v", faults)
		}
		if got := lines(t, z, "fra1.ns.landfall.test"); len(faults) > 0 && !strings.Contains(fmt.Sprint(faults), "challenge") && len(got) != 3 {
			t.Fatalf("the name server's addresses became %q", got)
		}
	})
}

func readBack(t *testing.T, n Name, node *Node) {
	t.Helper()
	for _, s := range node.Sets {
		if s.size() > maxSet || len(s.Data) == 0 {
			t.Fatalf("%q %s: %d bytes, %d records", n, dns.Type(s.Type), s.size(), len(s.Data))
		}
		for _, d := range s.Data {
			h := dns.RR_Header{Name: ".", Rrtype: s.Type, Class: dns.ClassINET, Rdlength: uint16(len(d))}
			if _, end, err := dns.UnpackRRWithHeader(h, d, 0); err != nil || end != len(d) {
				t.Fatalf("%q %s: %x: %v", n, dns.Type(s.Type), d, err)
			}
		}
	}
}
