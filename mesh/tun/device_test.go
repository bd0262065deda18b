//go:build linux

package tun

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/fronttest"
)

func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root")
	}
}

func TestNamesOfDevices(t *testing.T) {
	for network, want := range map[string]string{"prod": "lf-prod", "a-network-of-many-words": "lf-a-network-of"} {
		if got := deviceName(network); got != want {
			t.Errorf("network %s has device %s, want %s", network, got, want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := config("a")
	for name, spoil := range map[string]func(*Config){
		"no network":         func(c *Config) { c.Network = "" },
		"small packets":      func(c *Config) { c.MTU = 1279 },
		"IPv4":               func(c *Config) { c.Addr = netip.MustParseAddr("192.0.2.1") },
		"beyond the prefix":  func(c *Config) { c.Prefix = netip.MustParsePrefix("2001:db8::/48") },
		"a prefix of nobody": func(c *Config) { c.Prefix = netip.Prefix{} },
	} {
		cfg := good
		spoil(&cfg)
		if f, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			f.Close()
		}
	}
}

// TestFaultsNameTheirCure: what an operator can do is in the error.
func TestFaultsNameTheirCure(t *testing.T) {
	needRoot(t)
	for name, c := range map[string]struct {
		before func() error
		want   string
	}{
		"no right": {dropRights, "CAP_NET_ADMIN"},
		"IPv6 off": {func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		}, "disable_ipv6"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := newNamespace(t)
			cfg := config("a")
			cfg.inside = func(do func() error) error {
				return ns.do(func() error { return errors.Join(c.before(), do()) })
			}
			f, err := New(cfg)
			if err == nil {
				f.Close()
				t.Fatal("it works")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v does not speak of %s", err, c.want)
			}
		})
	}
}

// dropRights takes the calling thread's right to administer the network.
func dropRights() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	return unix.Capset(&head, &data[0])
}

func TestADeviceHasOneOwner(t *testing.T) {
	needRoot(t)
	cfg := config("a")
	cfg.inside = newNamespace(t).do
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := f.Read([][]byte{make([]byte, 2000)}, make([]int, 1), 16); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	again, err := New(cfg)
	if err != nil {
		t.Fatalf("once it is closed: %v", err)
	}
	again.Close()
}

// TestTheKernelIsLeftAsItWas: nothing outlives the front, and nothing else was
// touched.
func TestTheKernelIsLeftAsItWas(t *testing.T) {
	needRoot(t)
	ns := newNamespace(t)
	look := func() (s string) {
		err := ns.do(func() error {
			devices, err := net.Interfaces()
			for _, d := range devices {
				s += d.Name + " "
			}
			for _, file := range []string{"net/if_inet6", "net/ipv6_route", "sys/net/ipv6/conf/all/forwarding", "sys/net/ipv4/tcp_congestion_control"} {
				b, failed := os.ReadFile("/proc/thread-self/" + file)
				if strings.HasPrefix(file, "sys") {
					b, failed = os.ReadFile("/proc/" + file)
				}
				err = errors.Join(err, failed)
				s += "\n" + file + "\n" + string(b)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := look()
	cfg := config("a")
	cfg.inside = ns.do
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	during := look()
	hex := strings.ReplaceAll(cfg.Addr.StringExpanded(), ":", "")
	if !strings.Contains(during, hex) || strings.Count(during, f.Name()) < 3 {
		t.Errorf("no address or route:\n%s", during)
	}
	if strings.Contains(during, "fe80") {
		t.Errorf("the device has an address that nobody asked for:\n%s", during)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if after := look(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestPacketsForOthersAreDropped: a host that forwards does not do so for
// peers.
func TestPacketsForOthersAreDropped(t *testing.T) {
	needRoot(t)
	a := side(t, "a", 0)
	f := a.Front.(*Front)
	defer f.Close()
	const offset = 16
	packet := func(to netip.Addr) []byte {
		b := append(make([]byte, offset), 6<<4, 0, 0, 0, 0, 0, 59, 64)
		from := landfall.MeshAddr("test", "b")
		return append(append(b, from.AsSlice()...), to.AsSlice()...)
	}
	good, stranger := packet(a.Addr), packet(netip.MustParseAddr("2001:db8::1"))
	bufs := [][]byte{good, stranger, packet(netip.IPv6LinkLocalAllNodes()), good, {}, make([]byte, offset), stranger[:30]}
	bufs[4] = make([]byte, offset+39)
	if n, err := f.Write(bufs, offset); n != len(bufs) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if s := f.Stats(); s.Strange != 5 {
		t.Errorf("%d strange packets", s.Strange)
	}
}

// TestConnectionsPace: both sides use BBR, if the kernel lists it.
func TestConnectionsPace(t *testing.T) {
	needRoot(t)
	listed, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	want := congestion
	if !strings.Contains(string(listed), congestion) {
		want = ""
	}
	a, b := sides(t, 0)
	fronttest.Join(t, a, b)
	accepted := make(chan front.Stream, 1)
	if err := b.Front.Listen(9, func(s front.Stream) { accepted <- s }); err != nil {
		t.Fatal(err)
	}
	s, err := a.Front.Open(t.Context(), netip.AddrPortFrom(b.Addr, 9), landfall.Normal, make([]byte, 64<<10), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []front.Stream{s, <-accepted} {
		fd := s.(*front.Flow).Endpoint().(*socket).fd
		if got, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION); want != "" && got != want || err != nil {
			t.Errorf("congestion control %q, %v", got, err)
		}
		if v, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); v == 0 || err != nil {
			t.Errorf("no delay: %d, %v", v, err)
		}
	}
}

// TestCloseLeavesNothing: neither goroutines nor descriptors.
func TestCloseLeavesNothing(t *testing.T) {
	needRoot(t)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	t.Run("pair", func(t *testing.T) {
		a, b := sides(t, 0)
		fronttest.Join(t, a, b)
		if err := b.Front.Listen(9, func(s front.Stream) { s.Start(nil) }); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if _, err := a.Front.Open(t.Context(), netip.AddrPortFrom(b.Addr, 9), landfall.Normal, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
	if g, f := runtime.NumGoroutine(), descriptors(t); g > goroutines || f > files {
		t.Errorf("%d goroutines, %d before; %d descriptors, %d before", g, goroutines, f, files)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// FuzzWrite: whatever a peer sends, only packets for our address pass.
func FuzzWrite(f *testing.F) {
	addr := landfall.MeshAddr("test", "a")
	f.Add([]byte{}, true)
	f.Add(append([]byte{6 << 4, 0, 0, 0, 0, 0, 59, 64}, make([]byte, 32)...), true)
	f.Add(append([]byte{4<<4 | 5}, make([]byte, 60)...), false)
	f.Fuzz(func(t *testing.T, p []byte, toUs bool) {
		if toUs && len(p) >= 40 {
			copy(p[24:], addr.AsSlice())
		}
		front := &Front{addr: addr.As16()}
		want := len(p) >= 40 && p[0]>>4 == 6 && netip.AddrFrom16([16]byte(p[24:40])) == addr
		if got := front.isOurs(p); got != want {
			t.Fatalf("ours: %v, want %v", got, want)
		}
	})
}
