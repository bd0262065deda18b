package landfall

import (
	"net/netip"
	"strings"
	"testing"
)

func TestSecondariesAreChecked(t *testing.T) {
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	good := []Secondary{
		{Address: at("192.0.2.7:53")}, {Address: at("[2001:db8::7]:5353"), Key: "k_1-x"}, {Key: "transfer.example.com", Zone: "example.com"},
		{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, {Key: "transfer.example.com", Zone: "other.test"},
	}
	m := sound()
	m.Zones = []Zone{{Name: "other.test"}}
	m.Secondaries = good
	if f := m.Check(); len(f) > 0 {
		t.Fatal(f)
	}
	for _, tt := range []struct {
		bad  Secondary
		want string
	}{
		{Secondary{}, "neither an address nor a key"},
		{Secondary{Zone: "example.com"}, "neither an address nor a key"},
		{Secondary{Address: at("0.0.0.0:53")}, "not an address to send to"},
		{Secondary{Address: at("[ff02::1]:53")}, "not an address to send to"},
		{Secondary{Address: at("[fe80::1%eth0]:53")}, "not an address to send to"},
		{Secondary{Address: at("192.0.2.7:0")}, "not an address to send to"},
		{Secondary{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}}, "bits beyond its length"},
		{Secondary{Key: "Key"}, "not the name of one"},
		{Secondary{Key: "a..b"}, "not the name of one"},
		{Secondary{Key: strings.Repeat("a", 64)}, "not the name of one"},
		{Secondary{Key: strings.Repeat("a.", 130) + "a"}, "not the name of one"},
		{Secondary{Key: "key", Zone: "example.net"}, "none of this network's"},
		{good[0], "is already secondary[0]"},
	} {
		m.Secondaries = append(good[:len(good):len(good)], tt.bad)
		if f := m.Check(); len(f) != 1 || !strings.Contains(f[0].Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.bad, f, tt.want)
		}
	}
	for range MaxSecondaries {
		m.Secondaries = append(m.Secondaries, Secondary{Key: strings.Repeat("k", 1+len(m.Secondaries)%60), Zone: "", From: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(len(m.Secondaries)), 0, 0}), 16)}})
	}
	if f := m.Check(); !strings.Contains(f[len(f)-1].Error(), "more than 100") {
		t.Errorf("%v", f)
	}
}

func TestPortsOfEncryptedDNSAreTheirOwn(t *testing.T) {
	for ports, want := range map[Ports]string{
		{DNSTLS: 853, DNSHTTPS: 8443}: "", {DNSTLS: 443}: "ports.dns_tls: port 443 is both https", {DNSHTTPS: 80}: "port 80 is both http",
		{DNSTLS: 5300, DNS: 5300}: "is both dns and dns_tls", {DNSTLS: 853, DNSHTTPS: 853}: "is both dns_tls and dns_https",
	} {
		m := sound()
		m.Ports = ports
		f := m.Check()
		if want == "" && len(f) > 0 || want != "" && (len(f) != 1 || !strings.Contains(f[0].Error(), want)) {
			t.Errorf("%+v: %v", ports, f)
		}
	}
}
