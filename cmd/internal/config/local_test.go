package config

import (
	"crypto/ed25519"
	"reflect"
	"strings"
	"testing"

	"landfall"
)

func TestLocalReadsWhatItWrote(t *testing.T) {
	pub, _, _ := ed25519.GenerateKey(nil)
	for _, want := range []Local{
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: DefaultWireGuard},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 4500, Geo: `/srv/"geo".mmdb`},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, ASN: "asn.mmdb", Fetch: Fetch{Provider: "dbip", MaxMove: 0.125}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, Fetch: Fetch{Provider: "maxmind", Account: "1", KeyFile: "/k"}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, DNS: LocalDNS{Certificate: "/c", Key: "/k", TSIG: "/t"}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, DNS: LocalDNS{TSIG: "/t"}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, DNS: LocalDNS{CookieSecrets: "/s", QueryLog: "/q", Dnstap: "/d", Sample: 100, WholeAddresses: true}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, Mesh: LocalMesh{Front: "tun"}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, Mesh: LocalMesh{Front: "netstack", Rate: 1_500_000_001, NoRelay: true}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, Mesh: LocalMesh{Rate: 200_000_000}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, Mesh: LocalMesh{NoWarm: true}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, Mesh: LocalMesh{Allow: []string{"tcp/5432", "udp/53"}}},
		{Network: "shop", Node: "nyc1", MapKey: landfall.MapKey(pub), WireGuard: 1, Mesh: LocalMesh{Front: "tun", Allow: []string{"all"}}},
	} {
		got, problems := ParseLocal("node.toml", []byte(want.String()))
		if len(problems) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v\nfrom %s", got, problems, want, want)
		}
	}
}

func TestLocalFaults(t *testing.T) {
	_, problems := ParseLocal("node.toml", []byte("network = \"shop\"\nmap_key = \"map-pub:AAAA\"\nwireguard = 0\nrole = \"edge\"\ngeo = \"/city.mmdb\"\n[fetch]\nprovider = \"maxmind\"\naccount = \"7\"\n[dns]\nkey = \"/k\"\n[mesh]\nfront = \"tunn\"\nrate = \"fast\"\nallow = [\"tcp/22\", \"tcp/ssh\", 53]\n"))
	var all strings.Builder
	for _, p := range problems {
		all.WriteString(p.Error() + "\n")
	}
	for _, want := range []string{
		"node.toml:1:1: there is no node",
		"node.toml:2:11: map_key is not the key of a network",
		"node.toml:3:13: wireguard 0 is out of range",
		`node.toml:4:1: unknown key "role"`,
		"node.toml:5:7: geo and [fetch] both say where places come from",
		"node.toml:6:1: fetch: there is no licence_key_file",
		"node.toml:9:1: dns: certificate and key belong together",
		`node.toml:12:9: mesh: unknown front "tunn"`,
		`node.toml:13:8: mesh: rate "fast" is not a rate`,
		`node.toml:14:20: mesh: allow: "tcp/ssh" is nothing that peers could reach`,
		"node.toml:14:31: mesh: allow is a whole number, want text",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %q among\n%s", want, &all)
		}
	}
}

// TestMeshFaultsNameTheirCure: whatever is written where a word or a rate is
// wanted.
func TestMeshFaultsNameTheirCure(t *testing.T) {
	for src, want := range map[string][2]string{
		`front = 3`:          {"front is a whole number, want text", `want "auto" or "tun" or "netstack"`},
		`front = ""`:         {"front is empty", `want "auto" or "tun" or "netstack", or leave the key out`},
		`rate = "1 bit/s"`:   {`rate "1 bit/s" is too little`, `want "100 kbit/s" at least`},
		`rate = "99 kbit/s"`: {`rate "99 kbit/s" is too little`, `want "100 kbit/s" at least`},
		`warm = "no"`:        {"warm is text, want", "write warm = false"},
	} {
		_, problems := ParseLocal("node.toml", []byte("network = \"shop\"\n[mesh]\n"+src+"\n"))
		found := false
		for _, p := range problems {
			found = found || strings.Contains(p.Error(), "mesh: "+want[0]) && strings.Contains(p.Cure, want[1])
		}
		if !found {
			t.Errorf("%s: no %q cured by %q among %v", src, want[0], want[1], problems)
		}
	}
}
