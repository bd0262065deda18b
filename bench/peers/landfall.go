package peers

import (
	"context"
	"path/filepath"
)

const landfallNetwork = `name = "bench"
domain = "{{.Zone}}"

[steering]
ttl = "24h"
answers = 1
{{.Steering}}
{{range $i, $e := .World.Edges}}
[[region]]
id = "{{$e.Region}}"
place = "{{$e.Place}}"
{{if eq $i 0}}home = true{{end}}

[[node]]
id = "{{$e.Region}}1"
region = "{{$e.Region}}"
roles = ["edge"{{if eq $i 0}}, "origin", "dns"{{end}}]
addresses = ["{{$e.Addr}}"]
{{end}}
[[service]]
host = "{{.Host}}"
upstream = "http://127.0.0.1:3000"

[[record]]
name = "{{.Static}}"
type = "A"
data = "{{.Fixed}}"
`

// Landfall runs the name server alone; it probes nobody, as the edges are
// addresses without a server.
func Landfall(ctx context.Context, s Site) (*Server, error) { return serve(ctx, s) }

// LandfallStateful is Landfall with a state directory, by which it can be
// replaced.
func LandfallStateful(ctx context.Context, s Site) (*Server, error) {
	return serve(ctx, s, "--state", s.state())
}

func serve(ctx context.Context, s Site, more ...string) (*Server, error) {
	dir, addr, err := s.write("landfall", file{"network.toml", landfallNetwork})
	if err != nil {
		return nil, err
	}
	argv := append([]string{s.Landfall, "dns", "serve", "--network", filepath.Join(dir, "network.toml"),
		"--geo", s.Database, "--listen", addr.String(), "--probe", "none"}, more...)
	return Run(ctx, "landfall", addr, argv...)
}
