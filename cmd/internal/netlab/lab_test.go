package netlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/wan"
)

// config is three places, one host in each, and the services of the world.
func config(dir string) Config {
	return Config{
		Dir:    dir,
		Places: map[wan.Site]landfall.Place{"fra": {Lat: 50.11, Lon: 8.68}, "nyc": {Lat: 40.71, Lon: -74.01}, "sin": {Lat: 1.29, Lon: 103.85}},
		Links: []Link{
			RTT("fra", "nyc", 80*time.Millisecond), RTT("fra", "sin", 160*time.Millisecond), RTT("nyc", "sin", 230*time.Millisecond),
		},
		Hosts: []Server{
			{Name: "fra1", Place: "fra", Addresses: addrs("192.0.2.1", "2001:db8:1::1")},
			{Name: "nyc1", Place: "nyc", Addresses: addrs("198.51.100.7"), Inside: netip.MustParseAddr("10.0.0.5"),
				Firewall: &Firewall{TCP: []uint16{53, 443}, UDP: []uint16{51820}}},
			{Name: "sin1", Place: "sin", Addresses: addrs("203.0.113.1", "2001:db8:3::1")},
			{Name: "world", Place: "fra", Addresses: addrs("192.0.2.53", "2001:db8:1::53")},
		},
	}
}

func addrs(text ...string) (out []netip.Addr) {
	for _, s := range text {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// open opens a lab for a test that has a minute.
func open(t *testing.T, changes ...func(*Config)) (context.Context, *Lab) {
	t.Helper()
	if testing.Short() {
		t.Skip("namespaces take root and Debian packages; make test has both")
	}
	t.Parallel() // labs never meet
	return build(t, changes...)
}

// build is open for tests that are parallel already.
func build(t *testing.T, changes ...func(*Config)) (context.Context, *Lab) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := config(t.TempDir())
	for _, change := range changes {
		change(&c)
	}
	l, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, l
}

// listen answers every stream on a host with the address it came from.
func listen(t *testing.T, h *Host, on string) {
	t.Helper()
	ln, err := h.Listen("tcp", netip.MustParseAddrPort(on))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap())
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
}

// whoami connects and returns who the other end says we are.
func whoami(ctx context.Context, h *Host, to string) (string, error) {
	c, err := h.Dial(ctx, "tcp", netip.MustParseAddrPort(to))
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// takes checks a round trip time. It may be longer now and then, for the
// machine is busy, but never shorter.
func takes(t *testing.T, what string, want, margin time.Duration, once func() (time.Duration, error)) {
	t.Helper()
	var took []time.Duration
	for range 50 {
		rtt, err := once()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if rtt < want {
			t.Fatalf("%s: %v, less than %v", what, rtt, want)
		}
		if rtt <= want+margin {
			return
		}
		took = append(took, rtt)
	}
	t.Errorf("%s: %v, want %v", what, took, want)
}

// connect returns the round trip time that the kernel measured while it
// connected, whenever we were told.
func connect(ctx context.Context, h *Host, to string) (time.Duration, error) {
	c, err := h.Dial(ctx, "tcp", netip.MustParseAddrPort(to))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var info *unix.TCPInfo
	if fault := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); err != nil || fault != nil {
		return 0, errors.Join(err, fault)
	}
	return time.Duration(info.Min_rtt) * time.Microsecond, nil
}

func TestRoundTripsAreThoseOfTheLinks(t *testing.T) {
	ctx, l := open(t)
	listen(t, l.Host("fra1"), "[::]:7")
	listen(t, l.Host("sin1"), "[::]:7")
	listen(t, l.Host("nyc1"), "0.0.0.0:443")
	for _, c := range []struct {
		from, to string
		want     time.Duration
	}{
		{"nyc1", "192.0.2.1:7", 80 * time.Millisecond},
		{"fra1", "198.51.100.7:443", 80 * time.Millisecond},
		{"sin1", "[2001:db8:1::1]:7", 160 * time.Millisecond},
		{"sin1", "198.51.100.7:443", 230 * time.Millisecond},
		{"world", "192.0.2.1:7", 0},
		{"nyc1", "198.51.100.7:443", 0}, // itself, by way of its NAT
	} {
		takes(t, c.from+" connects to "+c.to, c.want, 2*time.Millisecond, func() (time.Duration, error) {
			return connect(ctx, l.Host(c.from), c.to)
		})
	}
	for _, c := range []struct {
		from, to string
		want     time.Duration
	}{{"fra1", "203.0.113.1", 160 * time.Millisecond}, {"fra1", "2001:db8:3::1", 160 * time.Millisecond}, {"sin1", "198.51.100.7", 230 * time.Millisecond}} {
		takes(t, c.from+" pings "+c.to, c.want, 20*time.Millisecond, func() (time.Duration, error) {
			start := time.Now()
			err := ping(l.Host(c.from), netip.MustParseAddr(c.to))
			return time.Since(start), err
		})
	}
}

// ping sends an echo request (RFC 792, RFC 4443) and waits for the reply.
func ping(h *Host, to netip.Addr) error {
	network, ask, want := "ip4:icmp", icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply)
	if to.Is6() {
		network, ask, want = "ip6:ipv6-icmp", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	var c net.PacketConn
	if err := h.Do(func() (err error) { c, err = net.ListenPacket(network, ""); return err }); err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	b, err := (&icmp.Message{Type: ask, Body: &icmp.Echo{ID: 7, Seq: 1, Data: []byte("lab")}}).Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(b, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return err
	}
	for b = make([]byte, 1500); ; {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		if m, err := icmp.ParseMessage(want.Protocol(), b[:n]); err == nil && m.Type == want {
			return nil
		}
	}
}

func TestNATMapsBothWays(t *testing.T) {
	ctx, l := open(t)
	fra, nyc := l.Host("fra1"), l.Host("nyc1")
	listen(t, fra, "0.0.0.0:7")
	listen(t, nyc, "10.0.0.5:443") // the address inside is all that the host knows
	if got, err := whoami(ctx, nyc, "192.0.2.1:7"); err != nil || got != "198.51.100.7" {
		t.Errorf("out: seen as %q, %v", got, err)
	}
	if got, err := whoami(ctx, fra, "198.51.100.7:443"); err != nil || got != "192.0.2.1" {
		t.Errorf("in: sees %q, %v", got, err)
	}
	// Datagrams too, and answers come from the address that was asked.
	var there net.PacketConn
	if err := nyc.Do(func() (err error) { there, err = net.ListenPacket("udp4", "10.0.0.5:51820"); return err }); err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	here, err := fra.Dial(ctx, "udp", netip.MustParseAddrPort("198.51.100.7:51820"))
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	deadline := time.Now().Add(10 * time.Second)
	here.SetDeadline(deadline)
	there.SetDeadline(deadline)
	here.Write([]byte("ping"))
	b := make([]byte, 10)
	_, from, err := there.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	there.WriteTo([]byte("pong"), from)
	if n, err := here.Read(b); err != nil || string(b[:n]) != "pong" {
		t.Errorf("answer %q, %v", b[:n], err)
	}
}

func TestFirewallDropsAllElse(t *testing.T) {
	ctx, l := open(t)
	listen(t, l.Host("nyc1"), "0.0.0.0:8080")
	hasty, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := whoami(hasty, l.Host("fra1"), "198.51.100.7:8080"); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a port that is shut: %v, want silence", err)
	}
	if got, err := whoami(ctx, l.Host("nyc1"), "127.0.0.1:8080"); err != nil || got != "127.0.0.1" {
		t.Errorf("from the host itself: %q, %v", got, err)
	}
	// Nobody listens on an open port, and that is said at once.
	if _, err := whoami(ctx, l.Host("fra1"), "198.51.100.7:443"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("an open port: %v, want a refusal", err)
	}
}

func TestUnpluggedHostIsSilent(t *testing.T) {
	ctx, l := open(t)
	sin := l.Host("sin1")
	listen(t, sin, "[::]:7")
	if err := sin.Unplug(ctx); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"203.0.113.1:7", "[2001:db8:3::1]:7"} {
		hasty, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		if got, err := whoami(hasty, l.Host("fra1"), to); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s, unplugged: %q, %v", to, got, err)
		}
	}
	if err := sin.Plug(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := whoami(ctx, l.Host("fra1"), "203.0.113.1:7"); err != nil || got != "192.0.2.1" {
		t.Errorf("plugged in again: %q, %v", got, err)
	}
}

func TestHostsHaveFilesOfTheirOwn(t *testing.T) {
	ctx, l := open(t)
	const script = `mkdir -p /var/lib/shop && hostname > /var/lib/shop/name && cat /var/lib/shop/name /etc/resolv.conf /run/pid 2>/dev/null; pwd`
	for _, name := range []string{"fra1", "nyc1"} {
		h := l.Host(name)
		out, err := h.Run(ctx, "sh", "-c", script)
		if want := name + "\nnameserver 127.0.0.1\n" + h.Home() + "\n"; out != want {
			t.Errorf("%s: %q, %v, want %q", name, out, err, want)
		}
		if b, err := os.ReadFile(h.File("/var/lib/shop/name")); string(b) != name+"\n" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := os.Stat("/var/lib/shop"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a host's file is the machine's: %v", err)
	}
	_, err := l.Host("fra1").Run(ctx, "sh", "-c", "echo why >&2; exit 3")
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 3 || !strings.Contains(err.Error(), "why") {
		t.Errorf("a program that fails: %v", err)
	}
}

func TestEverythingIsGoneAfterClose(t *testing.T) {
	ctx, l := open(t)
	var pids []int
	var namespaces []os.FileInfo
	for _, name := range []string{"fra1", "nyc1", "sin1", "world"} {
		h := l.Host(name)
		info, err := h.room.net.Stat()
		if err != nil {
			t.Fatal(err)
		}
		namespaces = append(namespaces, info)
		// A child that leaves its parent and its group, as daemons do.
		p, err := h.Start(Program{Args: []string{"sh", "-c", "setsid sleep 600 & echo $!; trap '' TERM; sleep 600"}})
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, p.PID())
		err = p.Until(ctx, "child", func(context.Context) error {
			var child int
			_, err := fmt.Sscan(tail(p.Log(), 100), &child)
			pids = append(pids, child)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids { // one whose parent has not asked how it ended has no command line
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(b), "sleep") {
			t.Errorf("process %d is still there", pid)
		}
	}
	tasks, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		info, err := os.Stat(task)
		if err == nil && slices.ContainsFunc(namespaces, func(n os.FileInfo) bool { return os.SameFile(n, info) }) {
			t.Errorf("%s is in a namespace of the lab", task)
		}
	}
	if out, err := exec.CommandContext(ctx, "ip", "-br", "link").Output(); err != nil || strings.Contains(string(out), "port") {
		t.Errorf("links of the machine: %s, %v", out, err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"no directory":              func(c *Config) { c.Dir = "" },
		"no hosts":                  func(c *Config) { c.Hosts = nil },
		"there are two":             func(c *Config) { c.Hosts[1].Name = "fra1" },
		"another host's":            func(c *Config) { c.Hosts[2].Addresses = c.Hosts[0].Addresses },
		"no place":                  func(c *Config) { c.Hosts[0].Place = "moon" },
		"no address":                func(c *Config) { c.Hosts[0].Addresses = nil },
		"two addresses":             func(c *Config) { c.Hosts[0].Addresses = addrs("192.0.2.1", "192.0.2.2") },
		"NAT is for IPv4":           func(c *Config) { c.Hosts[0].Inside = netip.MustParseAddr("10.0.0.1") },
		"delay -1":                  func(c *Config) { c.Links[0].Delay = -1 },
		"host \"\": it has no name": func(c *Config) { c.Hosts[0].Name = "" },
	} {
		c := config("dir")
		change(&c)
		if l, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
			if l != nil {
				l.Close()
			}
		}
	}
}
