package peers

import (
	"context"
	"os"
	"path/filepath"
)

// City-auto-mode: the nearest by coordinates, and by default the next two for
// when it is down. What the system gives a socket holds 200 questions: those of
// a few milliseconds.
const gdnsdConfig = `options => {
  listen => [ {{.IP}}:{{.Port}} ]
  udp_threads => 1
  tcp_threads => 1
  udp_rcvbuf => 1048576
  run_dir => {{.Dir}}/run
  state_dir => {{.Dir}}/state
}
plugins => { geoip => {
  maps => { m => {
    geoip2_db => {{.Database}}
    datacenters => [ {{range $i, $e := .World.Edges}}{{if $i}}, {{end}}{{$e.Region}}{{end}} ]
    auto_dc_coords => { {{range $i, $e := .World.Edges}}{{if $i}}, {{end}}{{$e.Region}} => [ {{$e.Place.Lat}}, {{$e.Place.Lon}} ]{{end}} }
    auto_dc_limit => {{.Spares}}
  } }
  resources => { res => { map => m, service_types => up, dcmap => { {{range $i, $e := .World.Edges}}{{if $i}}, {{end}}{{$e.Region}} => {{$e.Addr}}{{end}} } } }
} }
`

const gdnsdZone = `@ {{.TTL}} SOA ns1 hostmaster 1 3600 600 86400 30
@ {{.TTL}} NS ns1
ns1 {{.TTL}} A 127.0.0.1
static {{.TTL}} A {{.Fixed}}
www {{.TTL}} DYNA geoip!res
`

// GDNSD runs gdnsd with its plugin geoip, as it comes.
func GDNSD(ctx context.Context, s Site) (*Server, error) {
	s.Spares = 3
	return gdnsd(ctx, s)
}

// GDNSDAlone runs it with lists of one edge each: no map is smaller, but
// nobody is told another edge when his own is down.
func GDNSDAlone(ctx context.Context, s Site) (*Server, error) {
	s.Spares = 1
	return gdnsd(ctx, s)
}

func gdnsd(ctx context.Context, s Site) (*Server, error) {
	dir, addr, err := s.write("gdnsd", file{"config", gdnsdConfig}, file{"zones/" + Zone, gdnsdZone})
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"run", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if s.Down != "" {
		state := []byte("*/" + s.Down + " => DOWN\n")
		if err := os.WriteFile(filepath.Join(dir, "state", "admin_state"), state, 0o644); err != nil {
			return nil, err
		}
	}
	return Run(ctx, "gdnsd", addr, "gdnsd", "-c", dir, "start")
}
