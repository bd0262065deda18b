package peers

import (
	"context"
	"strings"
)

const pdnsConfig = `launch=geoip
local-address={{.IP}}
local-port={{.Port}}
geoip-database-files=mmdb:{{.Database}}
geoip-zones-file={{.Dir}}/zones.yaml
edns-subnet-processing=yes
receiver-threads=1
distributor-threads=1
socket-dir={{.Dir}}
guardian=no
daemon=no
disable-syslog=yes
loglevel=3
security-poll-suffix=
`

// pdnsZones map every city of the database to its edge, with its format
// %mp. The function pickclosest of Lua records measures distances, but tells
// resolvers that an answer is for the asked subnet alone.
const pdnsZones = `domains:
- domain: {{.Zone}}
  ttl: {{.TTL}}
  records:
    {{.Zone}}:
      - soa: ns1.{{.Zone}} hostmaster.{{.Zone}} 1 3600 600 86400 30
      - ns: ns1.{{.Zone}}
    ns1.{{.Zone}}:
      - a: 127.0.0.1
    {{.Static}}:
      - a: {{.Fixed}}
{{range .World.Edges}}    {{.Region}}.edge.{{$.Zone}}:
      - a: {{.Addr}}
{{end}}  services:
    {{.Host}}: ['%mp.edge.{{.Zone}}', '{{(index .World.Edges 0).Region}}.edge.{{.Zone}}']
  mapping_lookup_formats: ['%cc-%ci']
  custom_mapping:
{{range .Cities}}    "{{lower .Country}}-{{lower .City}}": {{.Edge.Region}}
{{end}}`

func lower(s string) string { return strings.ToLower(s) }

// PowerDNS runs PowerDNS with its back end geoip.
func PowerDNS(ctx context.Context, s Site) (*Server, error) {
	dir, addr, err := s.write("pdns", file{"pdns.conf", pdnsConfig}, file{"zones.yaml", pdnsZones})
	if err != nil {
		return nil, err
	}
	return Run(ctx, "pdns geoip", addr, "pdns_server", "--config-dir="+dir)
}
