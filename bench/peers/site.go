package peers

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"text/template"

	"landfall/bench/atlas"
)

// The zone, the name in it that is answered by place, and one that has the
// same address for everybody.
const (
	Zone   = "geo.test"
	Host   = "www.geo.test"
	Static = "static.geo.test"
	Fixed  = "192.0.2.200"
)

// Site is what every server answers for.
type Site struct {
	World    *atlas.World
	Database string // its file in MaxMind's format
	Dir      string // where configurations are written
	Landfall string // the program
	Steering string // further lines of [steering] for Landfall
	Spares   int    // how many edges gdnsd keeps for a client
	Down     string // the region whose edge gdnsd is told is down; empty: none
}

// Kind is a kind of name server.
type Kind struct {
	Name  string
	Start func(context.Context, Site) (*Server, error)
}

// Kinds are all of them, Landfall first.
func Kinds() []Kind {
	return []Kind{
		{"landfall", Landfall},
		{"gdnsd", GDNSD},
		{"gdnsd without fail-over", GDNSDAlone},
		{"knot mod-geoip", Knot},
		{"pdns geoip", PowerDNS},
	}
}

// file is a configuration: a template that is given a setup.
type file struct{ name, text string }

// setup is what templates may say.
type setup struct {
	Site
	Zone, Host    string
	Static, Fixed string
	IP            netip.Addr
	Port          uint16
	TTL           int
	Cities        []cityEdge
}

// cityEdge is a city of the database and the edge nearest to it.
type cityEdge struct {
	Country, City string
	Edge          atlas.Edge
}

// ttl is as long as answers may be kept everywhere: nothing is to expire in a
// measurement.
const ttl = 86400

// write makes the files of a server in a directory of its own.
func (s Site) write(name string, files ...file) (dir string, addr netip.AddrPort, err error) {
	if addr, err = Port(); err != nil {
		return "", addr, err
	}
	s.Dir = filepath.Join(s.Dir, name)
	with := setup{Site: s, Zone: Zone, Host: Host, Static: Static, Fixed: Fixed, IP: addr.Addr(), Port: addr.Port(), TTL: ttl}
	s.World.Places(func(country, city string, edge int) {
		with.Cities = append(with.Cities, cityEdge{country, city, s.World.Edges[edge]})
	})
	for _, f := range files {
		if err := f.write(s.Dir, with); err != nil {
			return "", addr, fmt.Errorf("%s: %w", name, err)
		}
	}
	return s.Dir, addr, nil
}

func (f file) write(dir string, with setup) error {
	t, err := template.New(f.name).Funcs(template.FuncMap{"lower": lower}).Parse(f.text)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, with); err != nil {
		return err
	}
	path := filepath.Join(dir, f.name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
