package peers

import (
	"context"
	"path/filepath"
)

// As it comes, nsd holds answers back from whoever asks more than 200 a second.
const nsdConfig = `server:
    ip-address: {{.IP}}@{{.Port}}
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    username: ""
    chroot: ""
    zonesdir: "{{.Dir}}"
    xfrdir: "{{.Dir}}"
    pidfile: ""
    xfrdfile: ""
    zonelistfile: "{{.Dir}}/zone.list"
    database: ""
remote-control:
    control-enable: no
zone:
    name: {{.Zone}}
    zonefile: zone
`

// NSD runs nsd, which answers everybody alike.
func NSD(ctx context.Context, s Site) (*Server, error) {
	dir, addr, err := s.write("nsd", file{"nsd.conf", nsdConfig}, file{"zone", knotZone})
	if err != nil {
		return nil, err
	}
	return Run(ctx, "nsd", addr, "nsd", "-d", "-c", filepath.Join(dir, "nsd.conf"))
}
