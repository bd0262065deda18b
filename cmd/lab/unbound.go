package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// StartResolver starts unbound (Debian: unbound) on the host as its resolver.
// It asks the root at the given address and goes on from there by itself; its
// cache obeys TTLs, and no answer is validated. More lines may go to the
// section "server" of its configuration.
func (h *Host) StartResolver(ctx context.Context, root netip.Addr, more ...string) (*Process, error) {
	dir := filepath.Join(h.Dir(), "unbound")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	hints := filepath.Join(dir, "root.hints")
	if err := os.WriteFile(hints, []byte(". 3600000 NS ns.\nns. 3600000 "+Record(root)+"\n"), 0o644); err != nil {
		return nil, err
	}
	yes := map[bool]string{true: "yes", false: "no"}
	var conf strings.Builder
	fmt.Fprintf(&conf, `server:
    directory: %q
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    do-daemonize: no
    interface: 127.0.0.1
    do-ip6: %s
    module-config: "iterator"
    root-hints: %q
    num-threads: 1
    minimal-responses: yes
    prefetch: no
`, dir, yes[h.has6()], hints)
	for _, line := range more {
		conf.WriteString("    " + line + "\n")
	}
	conf.WriteString("remote-control:\n    control-enable: no\n")
	file := filepath.Join(dir, "unbound.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o644); err != nil {
		return nil, err
	}
	p, err := h.Start(Program{Args: []string{"unbound", "-d", "-c", file}})
	if err != nil {
		return nil, err
	}
	return p, p.Until(ctx, "answer", func(ctx context.Context) error {
		_, err := h.Ask(ctx, netip.MustParseAddrPort("127.0.0.1:53"), ".", dnsmessage.TypeNS)
		return err
	})
}
