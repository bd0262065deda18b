package netlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall/mesh/wan"
)

// between sets the link between Frankfurt and Singapore.
func between(l wan.Link) func(*Config) {
	return func(c *Config) { c.Links = []Link{{A: "fra", B: "sin", Link: l}} }
}

// behind puts New York's host, and a second one, behind a NAT.
func behind(n wan.NAT) func(*Config) {
	return func(c *Config) {
		c.Hosts[1].NAT, c.Hosts[1].Firewall = &n, nil
		c.Hosts = append(c.Hosts, Server{Name: "nyc2", Place: "nyc", Addresses: c.Hosts[1].Addresses, Inside: netip.MustParseAddr("10.0.0.6"), NAT: &n})
	}
}

func packetConn(t *testing.T, h *Host, on string) (c net.PacketConn) {
	t.Helper()
	if err := h.Do(func() (err error) { c, err = net.ListenPacket("udp4", on); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// heard is who sent what comes next.
func heard(t *testing.T, c net.PacketConn, want string) netip.AddrPort {
	t.Helper()
	b := make([]byte, 100)
	n, from, err := c.ReadFrom(b)
	if err != nil || string(b[:n]) != want {
		t.Fatalf("heard %q, %v, want %q", b[:n], err, want)
	}
	return from.(*net.UDPAddr).AddrPort()
}

func TestHostsShareANAT(t *testing.T) {
	ctx, l := open(t, behind(wan.PortRestricted(netip.Addr{})))
	fra := packetConn(t, l.Host("fra1"), "192.0.2.1:7")
	stranger := packetConn(t, l.Host("world"), "192.0.2.53:7")
	seen := map[string]netip.AddrPort{}
	for _, name := range []string{"nyc1", "nyc2"} {
		inside := packetConn(t, l.Host(name), "0.0.0.0:4000")
		inside.WriteTo([]byte("hello"), fra.LocalAddr())
		seen[name] = heard(t, fra, "hello")
		stranger.WriteTo([]byte("let me in"), net.UDPAddrFromAddrPort(seen[name]))
		fra.WriteTo([]byte(name), net.UDPAddrFromAddrPort(seen[name]))
		heard(t, inside, name) // and nothing of the stranger's, which was sent before
	}
	if a, b := seen["nyc1"], seen["nyc2"]; a == b || a.Addr() != b.Addr() || a.Addr().String() != "198.51.100.7" {
		t.Errorf("seen as %v and %v", a, b)
	}
	listen(t, l.Host("fra1"), "0.0.0.0:80")
	if got, err := whoami(ctx, l.Host("nyc2"), "192.0.2.1:80"); err != nil || got != "198.51.100.7" {
		t.Errorf("TCP: seen as %q, %v", got, err)
	}
	if err := ping(l.Host("nyc1"), netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Errorf("ping through a NAT: %v", err)
	}
	if err := l.Host("nyc1").Unplug(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := whoami(ctx, l.Host("nyc2"), "192.0.2.1:80"); err != nil || got != "198.51.100.7" {
		t.Errorf("TCP, its neighbour unplugged: seen as %q, %v", got, err)
	}
}

// Senders who are told what passes send that, and TCP never notices; where
// they are not told, nothing large arrives.
func TestNarrowLinks(t *testing.T) {
	const size = 300_000
	for name, c := range map[string]struct {
		link    wan.Link
		arrives bool
	}{
		"told":       {wan.Link{Delay: 2 * time.Millisecond, MTU: 1300, ICMP: true}, true},
		"black hole": {wan.Link{Delay: 2 * time.Millisecond, MTU: 1300}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, l := open(t, between(c.link))
			for _, at := range []string{"192.0.2.1", "[2001:db8:1::1]"} {
				ln, err := l.Host("fra1").Listen("tcp", netip.MustParseAddrPort(at+":80"))
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				go func() {
					if c, err := ln.Accept(); err == nil {
						c.Write(make([]byte, size))
						c.Close()
					}
				}()
				conn, err := l.Host("sin1").Dial(ctx, "tcp", netip.MustParseAddrPort(at+":80"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if !c.arrives {
					conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
				}
				n, err := io.Copy(io.Discard, conn)
				if c.arrives && (n != size || err != nil) || !c.arrives && (n != 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
					t.Errorf("%s: %d bytes, %v", at, n, err)
				}
			}
		})
	}
}

// The same seed loses the same packets; another one loses others.
func TestLossesCanBeRepeated(t *testing.T) {
	if testing.Short() {
		t.Skip("namespaces take root and Debian packages; make test has both")
	}
	t.Parallel()
	const packets = 300
	arrived := func(seed uint64) (which []string) {
		_, l := build(t, between(wan.Link{Delay: time.Millisecond, Loss: 0.2, Burst: wan.Burst{Enter: 0.05, Leave: 0.2, Loss: 1}}),
			func(c *Config) { c.Seed = seed })
		to := packetConn(t, l.Host("fra1"), "192.0.2.1:7")
		from := packetConn(t, l.Host("sin1"), "203.0.113.1:7")
		for i := range packets {
			from.WriteTo(fmt.Append(nil, i), to.LocalAddr())
		}
		b := make([]byte, 10)
		for range 1000 {
			from.WriteTo([]byte("end"), to.LocalAddr()) // until one is not lost
			to.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			for n, _, err := to.ReadFrom(b); err == nil; n, _, err = to.ReadFrom(b) {
				if string(b[:n]) == "end" {
					return which
				}
				which = append(which, string(b[:n]))
			}
		}
		t.Fatal("nothing arrives")
		return nil
	}
	first, again, other := arrived(1), arrived(1), arrived(2)
	if !slices.Equal(first, again) {
		t.Errorf("with one seed %d and %d packets arrived: %v, %v", len(first), len(again), first, again)
	}
	if slices.Equal(first, other) {
		t.Error("two seeds lose the same packets")
	}
	if n := len(first); n < packets/3 || n > packets*4/5 {
		t.Errorf("%d of %d packets arrived", n, packets)
	}
}

func TestDuplicatesArrive(t *testing.T) {
	_, l := open(t, between(wan.Link{Delay: time.Millisecond, Duplicate: 1}))
	to := packetConn(t, l.Host("fra1"), "192.0.2.1:7")
	packetConn(t, l.Host("sin1"), "203.0.113.1:7").WriteTo([]byte("hello"), to.LocalAddr())
	for range 2 {
		heard(t, to, "hello")
	}
}

func TestPhasesTellWhatHappened(t *testing.T) {
	ctx, l := open(t, between(wan.Link{Delay: 5 * time.Millisecond}))
	if err := l.Carrier().Begin("one"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := ping(l.Host("sin1"), netip.MustParseAddr("192.0.2.1")); err != nil {
			t.Fatal(err)
		}
	}
	l.WAN().Cut("fra", "sin")
	hasty, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := whoami(hasty, l.Host("sin1"), "192.0.2.1:7"); err == nil {
		t.Error("a cut link carries a stream")
	}
	p, err := l.Carrier().End()
	if err != nil {
		t.Fatal(err)
	}
	want := []wan.LinkPhase{{From: "fra", To: "sin", Passed: 5}, {From: "sin", To: "fra", Passed: 5, Cut: 1}}
	if p.Name != "one" || p.Packets != 10 || !slices.Equal(p.Links, want) {
		t.Errorf("%+v", p)
	}
	if p.LateP50 <= 0 || p.LateP50 > p.LateP99 || p.LateP99 > p.LateMax {
		t.Errorf("late by %v, %v, %v", p.LateP50, p.LateP99, p.LateMax)
	}
}

func TestNamedHostsFindEachOther(t *testing.T) {
	ctx, l := open(t, func(c *Config) { c.Named = true })
	listen(t, l.Host("fra1"), "[::]:7")
	for _, name := range []string{"nyc1", "sin1"} {
		out, err := l.Host(name).Run(ctx, "getent", "ahostsv4", "fra1")
		if err != nil || !strings.Contains(out, "192.0.2.1") {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}
