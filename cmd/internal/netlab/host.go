package netlab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Host is a server, a user's machine, or whatever else has an address.
type Host struct {
	Server
	lab  *Lab
	room *room
	dir  string
	work sync.WaitGroup // what goes on until the host is empty

	mu      sync.Mutex
	running map[*Process]struct{}
}

// The folders that each host has for itself, with their place in its
// directory. All others are the machine's, shared by all hosts.
var private = [...]struct{ at, in string }{
	{"/var/lib", "lib"}, {"/run", "run"}, {"/etc/chromium", "chromium"},
	{"/etc/resolv.conf", "resolv.conf"}, {"/etc/hosts", "hosts"}, {authorities, "authorities.pem"},
}

const authorities = "/etc/ssl/certs/ca-certificates.crt"

// furnish makes the host's files and puts them in their places.
func (h *Host) furnish() error {
	for _, d := range []string{"lib", "run", "home", "tmp", "chromium/policies/managed"} {
		if err := os.MkdirAll(filepath.Join(h.dir, d), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"resolv.conf":     "nameserver 127.0.0.1\n",
		"hosts":           h.lab.names(h.Name),
		"authorities.pem": "",
	} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return h.room.do(func() error {
		for _, p := range private {
			err := unix.Mount(filepath.Join(h.dir, p.in), p.at, "", unix.MS_BIND, "")
			if errors.Is(err, os.ErrNotExist) && p.in == "chromium" {
				continue // not installed
			}
			if err != nil {
				return fmt.Errorf("put %s in its place: %w", p.at, err)
			}
		}
		return nil
	})
}

// names are what a host knows without asking.
func (l *Lab) names(host string) string {
	if !l.config.Named {
		return "127.0.0.1 localhost " + host + "\n::1 localhost\n"
	}
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for _, s := range l.config.Hosts {
		for _, a := range s.Addresses {
			fmt.Fprintf(&b, "%v %s\n", a, s.Name)
		}
	}
	return b.String()
}

// Dir is the host's directory, outside; what is in it is the lab's business.
func (h *Host) Dir() string { return h.dir }

// Go runs f until it ends; the lab's Close waits for it, after it has killed
// what runs on the host.
func (h *Host) Go(f func()) { h.work.Go(f) }

// Home is the host's own folder for everything; programs start there.
func (h *Host) Home() string { return filepath.Join(h.dir, "home") }

// File is where a file of a host lies outside, given its name on the host,
// such as /var/lib/landfall/node.toml.
func (h *Host) File(name string) string {
	for _, p := range private {
		if rest, err := filepath.Rel(p.at, name); err == nil && filepath.IsLocal(rest) {
			return filepath.Join(h.dir, p.in, rest)
		}
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(h.Home(), name)
}

// trust adds an authority to the system's, for TLS libraries and for
// Chromium, which has a store of its own and a policy that adds to it.
func (h *Host) trust(text []byte) error {
	file := filepath.Join(h.dir, "authorities.pem")
	if err := appendTo(file, text); err != nil {
		return err
	}
	all, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var policy struct{ CACertificates []string }
	for block, rest := pem.Decode(all); block != nil; block, rest = pem.Decode(rest) {
		policy.CACertificates = append(policy.CACertificates, base64.StdEncoding.EncodeToString(block.Bytes))
	}
	b, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(h.dir, "chromium/policies/managed/lab.json"), b, 0o644)
}

// Crash kills all that runs on the host, as if its power had failed; its
// files stay as they are.
func (h *Host) Crash() {
	h.mu.Lock()
	running := h.running
	h.running = nil
	h.mu.Unlock()
	for p := range running {
		p.Kill()
	}
}

// Unplug takes the host off the internet, until Plug: whoever sends to it
// hears nothing any more.
func (h *Host) Unplug(ctx context.Context) error {
	return h.lab.router.nft(ctx, unplugged(h.table(), h.wired()))
}

// wired are the addresses that packets have on the host's wire.
func (h *Host) wired() []netip.Addr {
	if h.NAT != nil {
		return []netip.Addr{h.Inside}
	}
	return h.Addresses
}

// Plug undoes Unplug.
func (h *Host) Plug(ctx context.Context) error {
	return h.lab.router.nft(ctx, "delete table inet "+h.table())
}

// table names the router's rules about the host: nftables takes no hyphen.
func (h *Host) table() string { return "off_" + strings.ReplaceAll(h.Name, "-", "_") }

// empty kills what runs on the host, children that left their parents too,
// and returns when nothing is left.
func (h *Host) empty() error {
	h.Crash()
	if err := Evict(h.room.number); err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	h.work.Wait()
	return nil
}
