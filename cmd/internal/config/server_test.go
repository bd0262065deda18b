package config

import (
	"net/netip"
	"strings"
	"testing"
)

// TestAddressesOfServers: a server of others is at the usual port unless it
// says another.
func TestAddressesOfServers(t *testing.T) {
	for text, want := range map[string]string{
		`"192.0.2.7"`: "192.0.2.7:53", `"2001:db8::7"`: "[2001:db8::7]:53", `"192.0.2.7:5353"`: "192.0.2.7:5353", `"[2001:db8::7]:5353"`: "[2001:db8::7]:5353",
		`"ns.example.com"`: "not one of a server", `"192.0.2.7:dns"`: "not one of a server", `7`: "want an address in quotes", `["192.0.2.7"]`: "want an address in quotes",
	} {
		m, problems := Parse("network.toml", []byte("name = \"shop\"\ndomain = \"edge.example.com\"\n[[region]]\nid = \"fra\"\nplace = \"50.11,8.68\"\nhome = true\n[[secondary]]\naddress = "+text+"\n"))
		if at, err := netip.ParseAddrPort(want); err == nil {
			if len(problems) > 0 || len(m.Secondaries) != 1 || m.Secondaries[0].Address != at {
				t.Errorf("%s: %v", text, problems)
			}
			continue
		}
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), want) {
			t.Errorf("%s: %v, want %q", text, problems, want)
		}
	}
}
