package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"landfall"
)

// Local is a node.toml: what one server has to know before it has a map. It
// is written by `landfall init` and `landfall join`.
type Local struct {
	Network string          // the network's name
	Node    landfall.NodeID // who this server is
	MapKey  landfall.MapKey // whose maps it follows
	// WireGuard is the UDP port of the mesh.
	WireGuard uint16
	// Geo is the file of a geographic database in MaxMind's format; empty is
	// the coarse one that comes with the program.
	Geo string
	// ASN is the file of a database of networks (autonomous systems); empty
	// is none.
	ASN   string
	Fetch Fetch
	DNS   LocalDNS
	Mesh  LocalMesh
}

// LocalMesh is how one server stands in the mesh.
type LocalMesh struct {
	// Front is what carries streams: "tun", the kernel behind a device of its
	// own; "netstack", a TCP in the program; "auto" or empty, whichever this
	// server allows.
	Front string
	// Rate is how many bits a second may leave for the mesh; 0 is as many as
	// the server has.
	Rate int64
	// NoRelay has the server send on nothing for others.
	NoRelay bool
	// NoWarm has the server neither ask for bytes that only teach TCP the way,
	// nor send them.
	NoWarm bool
	// Allow lists what others may reach on this server over the mesh, beside
	// the mesh's own services, where Front is "tun": "tcp/PORT", "udp/PORT",
	// or "all".
	Allow []string
}

func (m LocalMesh) isZero() bool {
	return m.Front == "" && m.Rate == 0 && !m.NoRelay && !m.NoWarm && len(m.Allow) == 0
}

// Fronts are the words for LocalMesh.Front.
func Fronts() []string { return []string{"auto", "tun", "netstack"} }

// LocalDNS are the files that a name server keeps to itself.
type LocalDNS struct {
	// Certificate and Key, in PEM, are shown to who asks by TLS or HTTPS, if
	// the map has ports for these; without them nobody listens there.
	Certificate string
	Key         string
	// TSIG holds the keys of secondaries, as tsig-keygen writes them.
	TSIG string
	// CookieSecrets holds secrets of cookies, for servers that answer at one
	// address; empty derives some from the node's key.
	CookieSecrets string
	// QueryLog is the file that queries are told to, and Dnstap the socket;
	// empty is none. Both hear of one in Sample queries, 0 meaning all, and of
	// no more than the networks of clients unless WholeAddresses is true.
	QueryLog       string
	Dnstap         string
	Sample         uint32
	WholeAddresses bool
}

// Fetch says where newer geographic databases come from.
type Fetch struct {
	// Provider is "dbip" or "maxmind"; empty fetches nothing. What is fetched
	// takes the place of the coarse database, so that Geo must be empty, and
	// that of ASN where it is empty.
	Provider string
	// Account and KeyFile are MaxMind's: the account's id, and the file that
	// holds the licence key.
	Account string
	KeyFile string
	// MaxMove is how much of the address space may move with one database; 0
	// means a fifth.
	MaxMove landfall.Share
}

// DefaultWireGuard is the port that WireGuard is known by.
const DefaultWireGuard = 51820

// ParseLocal reads a node.toml. There is either a Local or at least one
// problem.
func ParseLocal(name string, src []byte) (Local, []Problem) {
	var l Local
	s := newSource(name, src)
	if !s.readable() {
		return l, s.problems()
	}
	root, whole := grow(s)
	d := &decoder{src: s, places: map[string]span{}, whole: whole}
	d.fields(spot{}, root, local(&l))
	l.Fetch.missing(d)
	if (l.DNS.Certificate == "") != (l.DNS.Key == "") {
		d.fault(spot{path: "dns.certificate", owner: "dns: "}, d.place("dns"), "name both", "certificate and key belong together")
	}
	if l.Geo != "" && l.Fetch.Provider != "" {
		d.fault(spot{path: "geo"}, d.place("geo"), "keep one of them", "geo and [fetch] both say where places come from")
	}
	if len(s.found) > 0 {
		return Local{}, s.problems()
	}
	return l, nil
}

func local(l *Local) []field {
	const again = "put back a good copy of the file, or join again"
	l.WireGuard = DefaultWireGuard
	return []field{
		{key: "network", read: words(&l.Network), need: again},
		{key: "node", read: words(&l.Node), need: again},
		{key: "map_key", read: mapKey(&l.MapKey), need: again},
		{key: "wireguard", read: number(&l.WireGuard, 1, math.MaxUint16)},
		{key: "geo", read: words(&l.Geo)},
		{key: "asn", read: words(&l.ASN)},
		{key: "fetch", read: section(fetch(&l.Fetch))},
		{key: "dns", read: section(localDNS(&l.DNS))},
		{key: "mesh", read: section(localMesh(&l.Mesh))},
	}
}

func localMesh(m *LocalMesh) []field {
	return []field{
		{key: "front", read: named(&m.Front, "front", Fronts()...)},
		{key: "rate", read: meshRate(&m.Rate)},
		{key: "relay", read: not(&m.NoRelay)},
		{key: "warm", read: not(&m.NoWarm)},
		{key: "allow", read: several(&m.Allow, allowed)},
	}
}

func localDNS(n *LocalDNS) []field {
	return []field{
		{key: "certificate", read: words(&n.Certificate)},
		{key: "key", read: words(&n.Key)},
		{key: "tsig", read: words(&n.TSIG)},
		{key: "cookie_secrets", read: words(&n.CookieSecrets)},
		{key: "query_log", read: words(&n.QueryLog)},
		{key: "dnstap", read: words(&n.Dnstap)},
		{key: "sample", read: number(&n.Sample, 1, math.MaxUint32)},
		{key: "whole_addresses", read: boolean(&n.WholeAddresses)},
	}
}

func fetch(f *Fetch) []field {
	return []field{
		{key: "provider", read: oneOf(&f.Provider, "provider", "dbip", "maxmind"), need: `say where databases come from: provider = "dbip" or "maxmind"`},
		{key: "account", read: words(&f.Account)},
		{key: "licence_key_file", read: words(&f.KeyFile)},
		{key: "max_move", read: share(&f.MaxMove)},
	}
}

// missing tells what a provider cannot do without.
func (f Fetch) missing(d *decoder) {
	if f.Provider != "maxmind" {
		return
	}
	for _, need := range [][2]string{{"account", f.Account}, {"licence_key_file", f.KeyFile}} {
		if need[1] == "" {
			d.fault(spot{path: "fetch." + need[0], owner: "fetch: "}, d.place("fetch"), "MaxMind gives an id and licence keys with every account", "there is no %s", need[0])
		}
	}
}

// mapKey reads the text form of a landfall.MapKey.
func mapKey(to *landfall.MapKey) reader {
	return func(d *decoder, s spot, v *value) {
		k, err := landfall.ParseMapKey(v.text)
		if v.kind != text || err != nil {
			d.fault(s, v.at, `want "map-pub:" and base64, as the home server's node.toml has it`, "%s is not the key of a network", s.key)
			return
		}
		*to = k
	}
}

// String is the file that ParseLocal reads.
func (l Local) String() string {
	var b strings.Builder
	b.WriteString(`# Who this server is. Everything else it learns from the network's map, which
# it keeps in the directory maps beside this file. Written when it joined;
# changes take effect when landfall starts the next time.

`)
	fmt.Fprintf(&b, "network = %q\nnode = %q\n\n", l.Network, l.Node)
	fmt.Fprintf(&b, "# Maps are followed only if this key signed them.\nmap_key = %q\n\n", l.MapKey)
	fmt.Fprintf(&b, "# The UDP port of the mesh.\nwireguard = %d\n\n", l.WireGuard)
	b.WriteString("# A geographic database in MaxMind's format (GeoLite2 City, DB-IP City Lite);\n# without one, addresses are placed on continents only. It is read again when\n# the file changes.\n")
	option(&b, "geo", l.Geo, "/var/lib/GeoIP/GeoLite2-City.mmdb")
	b.WriteString("\n# A database of networks, for overrides and preferences by ASN.\n")
	option(&b, "asn", l.ASN, "/var/lib/GeoIP/GeoLite2-ASN.mmdb")
	b.WriteString("\n# Or have both fetched: \"dbip\" (CC BY 4.0, monthly, no account), or \"maxmind\"\n# (an account's id, and a file with its licence key).\n")
	l.Fetch.write(&b)
	b.WriteString("\n# What a name server keeps to itself: the certificate for answers by TLS and\n# HTTPS, and the keys of secondaries, as tsig-keygen writes them.\n")
	l.DNS.write(&b)
	b.WriteString("\n# How this server stands in the mesh: what carries streams (\"tun\" gives the\n# whole server an address there, and takes CAP_NET_ADMIN; \"netstack\" takes\n# nothing; \"auto\" is the first where it can be), how much may leave for it,\n# whether others may send to each other by way of this server, whether TCP is\n# taught distant ways ahead of users, and, with \"tun\", which of its ports peers\n# may reach beside the mesh's own services.\n")
	l.Mesh.write(&b)
	return b.String()
}

func (m LocalMesh) write(b *strings.Builder) {
	if m.isZero() {
		b.WriteString("#[mesh]\n")
	} else {
		b.WriteString("[mesh]\n")
	}
	option(b, "front", m.Front, "auto")
	option(b, "rate", rateText(m.Rate), "200 Mbit/s")
	turnedOff(b, "relay", m.NoRelay)
	turnedOff(b, "warm", m.NoWarm)
	if len(m.Allow) == 0 {
		b.WriteString("#allow = [\"tcp/5432\"]\n")
		return
	}
	var quoted []string
	for _, a := range m.Allow {
		quoted = append(quoted, strconv.Quote(a))
	}
	fmt.Fprintf(b, "allow = [%s]\n", strings.Join(quoted, ", "))
}

func (f Fetch) write(b *strings.Builder) {
	if f == (Fetch{}) {
		b.WriteString("#[fetch]\n#provider = \"dbip\"\n")
		return
	}
	fmt.Fprintf(b, "[fetch]\nprovider = %q\n", f.Provider)
	if f.Account != "" {
		fmt.Fprintf(b, "account = %q\n", f.Account)
	}
	if f.KeyFile != "" {
		fmt.Fprintf(b, "licence_key_file = %q\n", f.KeyFile)
	}
	if f.MaxMove != 0 {
		fmt.Fprintf(b, "max_move = %q\n", f.MaxMove)
	}
}

func (n LocalDNS) write(b *strings.Builder) {
	if n == (LocalDNS{}) {
		b.WriteString("#[dns]\n")
	} else {
		b.WriteString("[dns]\n")
	}
	option(b, "certificate", n.Certificate, "/etc/landfall/ns.pem")
	option(b, "key", n.Key, "/etc/landfall/ns.key")
	option(b, "tsig", n.TSIG, "/etc/landfall/tsig.keys")
	option(b, "cookie_secrets", n.CookieSecrets, "/etc/landfall/cookies")
	option(b, "query_log", n.QueryLog, "/var/log/landfall/queries.log")
	option(b, "dnstap", n.Dnstap, "/run/dnstap.sock")
	if n.Sample != 0 {
		fmt.Fprintf(b, "sample = %d\n", n.Sample)
	}
	if n.WholeAddresses {
		b.WriteString("whole_addresses = true\n")
	}
}

// turnedOff writes a key that is true unless said otherwise.
func turnedOff(b *strings.Builder, key string, off bool) {
	if off {
		fmt.Fprintf(b, "%s = false\n", key)
		return
	}
	fmt.Fprintf(b, "#%s = true\n", key)
}

// option writes a key, or shows it as a comment where it is not set.
func option(b *strings.Builder, key, value, example string) {
	if value == "" {
		fmt.Fprintf(b, "#%s = %q\n", key, example)
		return
	}
	fmt.Fprintf(b, "%s = %q\n", key, value)
}
