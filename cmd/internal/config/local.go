package config

import (
	"fmt"
	"math"
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
	b.WriteString("# A geographic database in MaxMind's format (GeoLite2 City, DB-IP City Lite);\n# without one, addresses are placed on continents only.\n")
	if l.Geo == "" {
		b.WriteString("#geo = \"/var/lib/GeoIP/GeoLite2-City.mmdb\"\n")
	} else {
		fmt.Fprintf(&b, "geo = %q\n", l.Geo)
	}
	return b.String()
}
