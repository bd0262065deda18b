//go:build linux

package tun

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/fronttest"
	"landfall/mesh/tun/filter"
)

// namespace is a network namespace of its own, for as long as the test lasts.
type namespace struct {
	jobs chan func()
}

func newNamespace(t testing.TB) *namespace {
	t.Helper()
	n := &namespace{jobs: make(chan func())}
	made := make(chan error)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread ends with its namespace
		made <- errors.Join(unix.Unshare(unix.CLONE_NEWNET), loopbackUp())
		for do := range n.jobs {
			do()
		}
	}()
	if err := <-made; err != nil {
		t.Fatalf("namespace: %v", err)
	}
	t.Cleanup(func() {
		close(n.jobs)
		<-done
	})
	return n
}

// loopbackUp lets a machine talk to its own addresses.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// do runs something inside.
func (n *namespace) do(f func() error) error {
	result := make(chan error)
	n.jobs <- func() { result <- f() }
	return <-result
}

func config(id landfall.NodeID) Config {
	a := landfall.MeshAddr("test", id)
	return Config{
		Network: "test", Addr: a, Prefix: netip.PrefixFrom(a, 48).Masked(),
		Filter: filter.Config{First: 1, Last: 1023}, // ports of the tests' own
	}
}

// side is a front in a namespace of its own.
func side(t testing.TB, id landfall.NodeID, timeout time.Duration) fronttest.Side {
	t.Helper()
	cfg := config(id)
	cfg.Timeout, cfg.inside = timeout, newNamespace(t).do
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return fronttest.Side{Front: f, Addr: cfg.Addr}
}

func sides(t testing.TB, timeout time.Duration) (a, b fronttest.Side) {
	return side(t, "a", timeout), side(t, "b", timeout)
}

func TestFront(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	fronttest.Run(t, sides)
}
