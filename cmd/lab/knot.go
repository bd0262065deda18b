package lab

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Registry is a Knot server that is the rest of the DNS: the root, and zones
// kept at somebody else's DNS service.
type Registry struct {
	*Process
	host *Host
	dir  string

	mu     sync.Mutex
	serial int
	zones  map[string]string
}

// StartRegistry starts Knot (Debian: knot) on the host. Each zone has its
// records in master file form, without SOA, and without NS and address of the
// server itself, which are added. The root delegates to all of them.
func (h *Host) StartRegistry(ctx context.Context, zones map[string]string) (*Registry, error) {
	r := &Registry{host: h, dir: filepath.Join(h.Dir(), "knot"), zones: maps.Clone(zones)}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	if err := r.write(); err != nil {
		return nil, err
	}
	p, err := h.Start(Program{Args: []string{"knotd", "-c", r.file("knot.conf")}})
	if err != nil {
		return nil, err
	}
	r.Process = p
	return r, p.Until(ctx, "zones", func(ctx context.Context) error { return r.served(ctx) })
}

// patience is how long records may take to be served.
const patience = 20 * time.Second

// Set replaces a zone's records, or adds a zone, and returns when the server
// answers by them. Resolvers keep what they know for the records' TTL: five
// seconds where the records say nothing.
func (r *Registry) Set(ctx context.Context, zone, records string) error {
	ctx, cancel := context.WithTimeout(ctx, patience) // bad records are never served
	defer cancel()
	r.mu.Lock()
	r.zones[zone] = records
	err := r.write()
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := r.host.Run(ctx, "knotc", "-s", r.file("knot.sock"), "-b", "reload"); err != nil {
		return err
	}
	return r.Until(ctx, "zone "+zone, func(ctx context.Context) error { return r.served(ctx) })
}

// Addr is where the server answers.
func (r *Registry) Addr() netip.Addr { return r.host.Addresses[0] }

func (r *Registry) file(name string) string { return filepath.Join(r.dir, name) }

// served checks that the server has the newest serial of each zone.
func (r *Registry) served(ctx context.Context) error {
	r.mu.Lock()
	want, zones := r.serial, slices.Collect(maps.Keys(r.zones))
	r.mu.Unlock()
	for _, zone := range append(zones, ".") {
		m, err := r.host.Ask(ctx, netip.AddrPortFrom(r.Addr(), 53), zone, dnsmessage.TypeSOA)
		if err != nil {
			return err
		}
		for _, a := range m.Answers {
			if soa, ok := a.Body.(*dnsmessage.SOAResource); ok && int(soa.Serial) < want {
				return fmt.Errorf("zone %s is at serial %d, not %d", zone, soa.Serial, want)
			}
		}
	}
	return nil
}

// write makes the configuration and the zone files, with the next serial.
func (r *Registry) write() error {
	r.serial++
	var conf, root strings.Builder
	fmt.Fprintf(&conf, "server:\n    rundir: %[1]q\n    listen: [ 0.0.0.0@53, ::@53 ]\n    udp-workers: 1\n    tcp-workers: 1\n"+
		"database:\n    storage: %[1]q\nlog:\n  - target: stderr\n    any: info\n"+
		"template:\n  - id: default\n    storage: %[1]q\n    zonefile-sync: -1\n    journal-content: none\nzone:\n  - domain: .\n    file: root.zone\n", r.dir)
	for _, zone := range slices.Sorted(maps.Keys(r.zones)) {
		fmt.Fprintf(&conf, "  - domain: %s\n    file: %s.zone\n", zone, zone)
		fmt.Fprintf(&root, "%s. NS ns.%s.\nns.%s. %s\n", zone, zone, zone, Record(r.Addr()))
		text := r.head() + "ns " + Record(r.Addr()) + "\n" + r.zones[zone] + "\n"
		if err := os.WriteFile(r.file(zone+".zone"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(r.file("root.zone"), []byte(r.head()+"ns "+Record(r.Addr())+"\n"+root.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(r.file("knot.conf"), []byte(conf.String()), 0o644)
}

// head begins a zone. What does not exist is kept for a second.
func (r *Registry) head() string {
	return fmt.Sprintf("$TTL 5\n@ SOA ns hostmaster %d 3600 600 86400 1\n@ NS ns\n", r.serial)
}

// Record is an address record's type and data.
func Record(a netip.Addr) string {
	if a.Is4() {
		return "A " + a.String()
	}
	return "AAAA " + a.String()
}
