package labrouter

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landfall/mesh/wan"
)

// routerWord makes the test binary the router's process.
const routerWord = "LABROUTER_TEST_SERVES"

func TestMain(m *testing.M) {
	if os.Getenv(routerWord) == "" {
		os.Exit(m.Run())
	}
	if err := Serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// start starts a router on a device that is a pair of sockets, and returns the
// kernel's side of it.
func start(t *testing.T) (*Client, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	kernel := os.NewFile(uintptr(fds[0]), "kernel")
	t.Cleanup(func() { kernel.Close() })
	kernel.SetDeadline(time.Now().Add(30 * time.Second))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), routerWord+"=1", "GORACE=atexit_sleep_ms=20")
	c, err := Start(1, os.NewFile(uintptr(fds[1]), "tun"), cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for a, s := range map[string]wan.Site{"192.0.2.1": "fra", "198.51.100.1": "nyc"} {
		if err := c.SetSite(netip.MustParseAddr(a), s); err != nil {
			t.Fatal(err)
		}
	}
	return c, kernel
}

// packet is an IPv4 header without anything behind it.
func packet(src, dst string) []byte {
	b := make([]byte, 20)
	b[0], b[3] = 4<<4|5, 20
	copy(b[12:], netip.MustParseAddr(src).AsSlice())
	copy(b[16:], netip.MustParseAddr(dst).AsSlice())
	return b
}

func TestRouterOfItsOwnCarriesPackets(t *testing.T) {
	c, kernel := start(t)
	const delay = 20 * time.Millisecond
	for _, w := range [][2]wan.Site{{"fra", "nyc"}, {"nyc", "fra"}} {
		if err := c.SetLink(w[0], w[1], wan.Link{Delay: delay}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Begin("one"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	b := packet("192.0.2.1", "198.51.100.1")
	if _, err := kernel.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.Read(b); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < delay {
		t.Errorf("it took %v", took)
	}
	p, err := c.End()
	if err != nil || p.Name != "one" || p.Packets != 1 || len(p.Links) != 1 || p.Links[0].Passed != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if c.Priority() == "" {
		t.Error("it does not say what the kernel granted")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestRouterSaysWhatIsWrongWithAnOrder(t *testing.T) {
	c, _ := start(t)
	if err := c.SetLink("fra", "nyc", wan.Link{Loss: 2}); err == nil || !strings.Contains(err.Error(), "loss 2") {
		t.Errorf("a bad link: %v", err)
	}
	if _, err := c.End(); err == nil {
		t.Error("a phase ended that never began")
	}
	if err := c.SetNAT(wan.NAT{}); err == nil || !strings.Contains(err.Error(), "public address") {
		t.Errorf("a bad nat: %v", err)
	}
	if err := c.SetNAT(wan.Symmetric(netip.MustParseAddr("192.0.2.1")), netip.MustParseAddr("10.0.0.1")); err != nil {
		t.Error(err)
	}
}

// A router that is gone is missed at the next order, and Close says so.
func TestLostRouterIsMissed(t *testing.T) {
	c, _ := start(t)
	if err := unix.Kill(c.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Begin("one"); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("an order: %v", err)
	}
	if err := c.Close(); err == nil {
		t.Error("closed as if all were well")
	}
}

// A device that goes away ends the router's work, and that is told.
func TestRouterWithoutItsDeviceSaysSo(t *testing.T) {
	c, kernel := start(t)
	kernel.Close()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if err := c.Begin("one"); err != nil {
			return
		}
	}
	t.Error("all is well without a device")
}
