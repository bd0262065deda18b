package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// What other name servers are told is what they do by default, but that each
// has one thread (so that answers come in the order of questions), holds
// nobody back, and tells nothing of itself.

const knotConfig = `server:
    rundir: %[1]s
    listen: %[2]s@%[3]d
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: %[1]s
zone:
  - domain: %[4]s
    storage: %[1]s
    file: zone
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
`

func knot(t *testing.T) *server {
	t.Helper()
	dir, addr := t.TempDir(), free(t)
	write(t, dir, "zone", zoneText(t))
	conf := write(t, dir, "knot.conf", fmt.Sprintf(knotConfig, dir, addr.Addr(), addr.Port(), static))
	return run(t, "knot", addr, static, "knotd", "-c", conf, "-s", filepath.Join(dir, "knot.sock"))
}

const nsdConfig = `server:
    ip-address: %[2]s@%[3]d
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    username: ""
    chroot: ""
    zonesdir: "%[1]s"
    xfrdir: "%[1]s"
    pidfile: ""
    xfrdfile: ""
    zonelistfile: "%[1]s/zone.list"
    database: ""
remote-control:
    control-enable: no
zone:
    name: %[4]s
    zonefile: zone
`

func nsd(t *testing.T) *server {
	t.Helper()
	dir, addr := t.TempDir(), free(t)
	write(t, dir, "zone", zoneText(t))
	conf := write(t, dir, "nsd.conf", fmt.Sprintf(nsdConfig, dir, addr.Addr(), addr.Port(), static))
	return run(t, "nsd", addr, static, "nsd", "-d", "-c", conf)
}

const gdnsdConfig = `options => {
  listen => [ %[2]s:%[3]d ]
  udp_threads => 1
  tcp_threads => 1
  run_dir => %[1]s/run
  state_dir => %[1]s/state
}
`

func gdnsd(t *testing.T) *server {
	t.Helper()
	dir, addr := t.TempDir(), free(t)
	write(t, dir, "config", fmt.Sprintf(gdnsdConfig, dir, addr.Addr(), addr.Port()))
	write(t, dir, "zones/"+static, gdnsdZone(zoneText(t)))
	for _, d := range []string{"run", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return run(t, "gdnsd", addr, static, "gdnsd", "-c", dir, "start")
}

// without are the names that gdnsd's zone lacks.
func without(zone string) (names []string) {
	for line := range strings.Lines(zone) {
		if strings.Contains(line, "!gdnsd") && !strings.HasPrefix(line, ";") {
			names = append(names, strings.Fields(line)[0]+"."+static+".")
		}
	}
	return names
}

// gdnsdZone is the zone as gdnsd reads it: types that it has no name for are
// written in numbers (RFC 3597), and what it cannot hold is left out.
func gdnsdZone(zone string) string {
	named := regexp.MustCompile(`^(SOA|NS|A|AAAA|MX|TXT|CNAME|PTR|SRV|NAPTR|CAA)$`)
	var b strings.Builder
	for line := range strings.Lines(zone) {
		words := strings.Fields(line)
		if strings.Contains(line, "!gdnsd") || len(words) < 3 || strings.HasPrefix(line, ";") || strings.HasPrefix(line, "$") {
			if strings.HasPrefix(line, "$TTL") {
				b.WriteString(line)
			}
			continue
		}
		if len(words) > 3 && strings.Trim(words[1], "0123456789") == "" {
			words = append(words[:1], words[2:]...)
		}
		if named.MatchString(words[1]) {
			b.WriteString(line)
			continue
		}
		rr, err := dns.NewRR("$ORIGIN " + static + ".\n" + strings.Join(words, " "))
		if err != nil {
			continue
		}
		raw := make([]byte, 1024)
		n, err := dns.PackRR(rr, raw, 0, nil, false)
		if err != nil {
			continue
		}
		data := raw[n-int(rr.Header().Rdlength) : n]
		fmt.Fprintf(&b, "%s TYPE%d \\# %d %x\n", words[0], rr.Header().Rrtype, len(data), data)
	}
	return b.String()
}
