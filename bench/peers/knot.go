package peers

import (
	"context"
	"path/filepath"
)

const knotConfig = `server:
    rundir: {{.Dir}}
    listen: {{.IP}}@{{.Port}}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    edns-client-subnet: on
log:
  - target: stderr
    any: warning
database:
    storage: {{.Dir}}
mod-geoip:
  - id: g
    config-file: {{.Dir}}/geo.conf
    ttl: {{.TTL}}
    mode: geodb
    geodb-file: {{.Database}}
    geodb-key: [ country/iso_code, city/names/en ]
zone:
  - domain: {{.Zone}}
    storage: {{.Dir}}
    file: zone
    zonefile-sync: -1
    journal-content: none
    module: mod-geoip/g
`

// knotRules name the edge of every city of the database: the module cannot
// tell what is near.
const knotRules = `{{.Host}}:
{{range .Cities}}  - geo: "{{.Country}};{{.City}}"
    A: {{.Edge.Addr}}
{{end}}`

const knotZone = `$ORIGIN {{.Zone}}.
$TTL {{.TTL}}
@ SOA ns1 hostmaster 1 3600 600 86400 30
@ NS ns1
ns1 A 127.0.0.1
static A {{.Fixed}}
www A {{(index .World.Edges 0).Addr}}
`

// Knot runs Knot DNS with its module geoip.
func Knot(ctx context.Context, s Site) (*Server, error) {
	dir, addr, err := s.write("knot", file{"knot.conf", knotConfig}, file{"geo.conf", knotRules}, file{"zone", knotZone})
	if err != nil {
		return nil, err
	}
	return Run(ctx, "knot mod-geoip", addr, "knotd", "-c", filepath.Join(dir, "knot.conf"), "-s", filepath.Join(dir, "knot.sock"))
}
