package peers

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
)

// All the memory that caching takes: by default, a name has room for a hundred
// prefixes. One slab, as the size is shared out among slabs, and one name
// needs all of it.
const unboundConfig = `server:
    directory: "{{.Dir}}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 0
    num-threads: 1
    interface: {{.IP}}
    port: {{.Port}}
    do-ip6: no
    do-not-query-localhost: no
    access-control: 127.0.0.0/8 allow
    module-config: "subnetcache validator iterator"
    send-client-subnet: 127.0.0.0/8
    client-subnet-always-forward: yes
    max-client-subnet-ipv4: 24
    max-client-subnet-ipv6: 56
    max-ecs-tree-size-ipv4: 0
    max-ecs-tree-size-ipv6: 0
    msg-cache-size: 6g
    msg-cache-slabs: 1
    rrset-cache-size: 64m
    cache-max-ttl: 86400
    outgoing-range: 4096
    num-queries-per-thread: 2048
    so-rcvbuf: 4m
    qname-minimisation: no
    domain-insecure: "{{.Zone}}"
    local-zone: "test." nodefault
    unwanted-reply-threshold: 0
stub-zone:
    name: "{{.Zone}}"
    stub-addr: %s@%d
`

// Unbound runs unbound before a server, with its module subnetcache.
func Unbound(ctx context.Context, s Site, server netip.AddrPort) (*Server, error) {
	dir, addr, err := s.write("unbound", file{"unbound.conf", fmt.Sprintf(unboundConfig, server.Addr(), server.Port())})
	if err != nil {
		return nil, err
	}
	return Run(ctx, "unbound", addr, "unbound", "-d", "-c", filepath.Join(dir, "unbound.conf"))
}
