package netlab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"landfall/mesh/wan"
)

// The gateways that hosts know, the same on every wire: nobody routes them.
const (
	gateway4    = "169.254.0.1"
	gateway6    = "fe80::1"
	gatewayNAT  = "169.254.0.2"
	routerTable = "100" // the routes of what comes from hosts
	device      = "wan"
)

// router makes the namespace that all packets between hosts pass through:
// what comes from a host goes into the TUN device, and what comes out of it
// goes to the host whose address it has.
func (l *Lab) makeRouter(ctx context.Context) error {
	r, err := newRoom("router")
	if err != nil {
		return err
	}
	l.router = r
	if err := r.forwards(); err != nil {
		return err
	}
	var dev *os.File
	if err := r.enter(func() (err error) { dev, err = wan.OpenTUN(device); return err }); err != nil {
		return err
	}
	// On the room's thread, so that a process that it starts ends with it.
	if err := r.do(func() (err error) { l.carrier, err = l.start(dev); return err }); err != nil {
		dev.Close()
		return err
	}
	rules := "rule add pref 10 iif " + device + " lookup main\nrule add pref 20 lookup " + routerTable +
		"\nroute add default dev " + device + " table " + routerTable
	if err := r.ip(ctx, "link set lo up\nlink set "+device+" mtu 1500 txqueuelen 10000 up\n"+rules); err != nil {
		return err
	}
	return r.ip(ctx, rules, "-6")
}

func (l *Lab) start(dev *os.File) (Carrier, error) {
	if l.config.Carrier != nil {
		return l.config.Carrier(dev)
	}
	return startInProcess(l.config.Seed, dev)
}

// wire joins the router to a host, or to the NAT in front of it.
func (l *Lab) wire(ctx context.Context, h *Host) error {
	if !h.Inside.IsValid() {
		return l.plug(ctx, h.room, h.Addresses...)
	}
	if h.NAT != nil { // the router's work
		return l.plug(ctx, h.room, h.Inside)
	}
	nat, err := newRoom(h.Name + "-nat")
	if err != nil {
		return err
	}
	l.boxes = append(l.boxes, nat)
	if err := nat.forwards(); err != nil {
		return err
	}
	outside := h.Addresses[0]
	if err := l.plug(ctx, nat, outside); err != nil {
		return err
	}
	if err := join(ctx, nat, "inside", gatewayNAT, h.room, h.Inside); err != nil {
		return err
	}
	return nat.nft(ctx, translation(outside, h.Inside))
}

// plug joins a room to the router.
func (l *Lab) plug(ctx context.Context, r *room, addrs ...netip.Addr) error {
	l.ports++
	return join(ctx, l.router, fmt.Sprintf("port%d", l.ports), gateway4, r, addrs...)
}

// join puts a wire between a port of a near room and eth0 of a far one, whose
// gateway the near one becomes.
func join(ctx context.Context, near *room, port, gateway string, far *room, addrs ...netip.Addr) error {
	here := []string{
		"link add " + port + " type veth peer name eth0 netns " + far.path(),
		"link set " + port + " up",
		"addr add " + gateway + "/32 dev " + port,
		"addr add " + gateway6 + "/64 dev " + port + " nodad",
	}
	there := []string{"link set lo up", "link set eth0 up"}
	for _, a := range addrs {
		host := netip.PrefixFrom(a, a.BitLen()).String()
		here = append(here, "route add "+host+" dev "+port)
		via := gateway6
		if there = append(there, "addr add "+host+" dev eth0"); a.Is4() {
			via = gateway
		}
		there = append(there, "route add default via "+via+" dev eth0 onlink")
	}
	if err := far.quiet(); err != nil {
		return err
	}
	if err := near.ip(ctx, strings.Join(here, "\n")); err != nil {
		return err
	}
	return far.ip(ctx, strings.Join(there, "\n"))
}

// forwards makes a room pass packets on.
func (r *room) forwards() error {
	return r.sysctl(map[string]string{
		"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1",
		// Packets come in by another device than answers leave by.
		"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0",
		"ipv6/conf/default/accept_dad": "0", "ipv6/conf/all/accept_dad": "0",
	})
}

// quiet makes addresses of a room usable at once, and not change by themselves.
func (r *room) quiet() error {
	return r.sysctl(map[string]string{"ipv6/conf/default/accept_dad": "0", "ipv6/conf/all/accept_dad": "0",
		"ipv6/conf/default/accept_ra": "0"})
}

// sysctl sets values under /proc/sys/net, which shows each thread its own
// namespace.
func (r *room) sysctl(values map[string]string) error {
	return r.enter(func() error {
		for key, value := range values {
			if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0); err != nil {
				return fmt.Errorf("host %s: %w", r.name, err)
			}
		}
		return nil
	})
}

// ip runs lines of iproute2 in the room.
func (r *room) ip(ctx context.Context, lines string, flags ...string) error {
	return r.tool(ctx, lines, "ip", append(flags, "-batch", "-")...)
}

// nft loads rules of nftables in the room.
func (r *room) nft(ctx context.Context, rules string) error {
	return r.tool(ctx, rules, "nft", "-f", "-")
}

// tool feeds text to a program in the room that is over at once.
func (r *room) tool(ctx context.Context, text, name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text+"\n"), &out, &out
	if err := r.do(cmd.Start); err != nil {
		return fmt.Errorf("host %s: %w", r.name, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("host %s: %s: %w: %s", r.name, name, err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
