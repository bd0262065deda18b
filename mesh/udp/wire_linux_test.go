package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// host is a network namespace, and the thread that lives in it.
type host struct {
	tid  int
	work chan func()
}

func newHost(t testing.TB) *host {
	t.Helper()
	if testing.Short() {
		t.Skip("namespaces take root; make test has it")
	}
	h := &host{work: make(chan func())}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and never let go: the thread ends with the namespace
		h.tid = unix.Gettid()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if failed <- err; err != nil {
			return
		}
		for f := range h.work {
			f()
		}
	}()
	if err := <-failed; err != nil {
		t.Fatalf("a network namespace, for which root is needed: %v", err)
	}
	t.Cleanup(func() { close(h.work) })
	h.run(t, "ip link set lo up") // without it, package net believes that there is no IPv6
	return h
}

// do runs a function in the host.
func (h *host) do(f func()) {
	done := make(chan struct{})
	h.work <- func() { defer close(done); f() }
	<-done
}

// run runs programs there, and returns what the last one said.
func (h *host) run(t testing.TB, lines ...string) (out string) {
	t.Helper()
	for _, line := range lines {
		argv := strings.Fields(line)
		var b []byte
		var err error
		h.do(func() { b, err = exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput() })
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, b)
		}
		out = string(b)
	}
	return out
}

// bind makes a Conn there.
func (h *host) bind(t testing.TB, addr string) (c *socket) {
	t.Helper()
	h.do(func() { c = bind(t, addr).(*socket) })
	return c
}

// wire joins two hosts, 10.0.0.1 and 10.0.0.2, fe80::1 and fe80::2, by wire0.
func wire(t testing.TB) (a, b *host) {
	t.Helper()
	a, b = newHost(t), newHost(t)
	a.run(t, fmt.Sprintf("ip link add wire0 type veth peer name wire0 netns /proc/%d/ns/net", b.tid))
	for i, h := range []*host{a, b} {
		us, them := i+1, 2-i
		h.run(t,
			fmt.Sprintf("ip address add 10.0.0.%d/24 dev wire0", us),
			fmt.Sprintf("ip address add fe80::%d/64 dev wire0 nodad", us),
			fmt.Sprintf("ip link set wire0 address 02:00:00:00:00:0%d up", us),
			fmt.Sprintf("ip neighbour replace 10.0.0.%d dev wire0 lladdr 02:00:00:00:00:0%d", them, them),
			fmt.Sprintf("ip neighbour replace fe80::%d dev wire0 lladdr 02:00:00:00:00:0%d", them, them))
	}
	meet(t, a, b, "10.0.0.2")
	meet(t, a, b, "fe80::2%wire0")
	return a, b
}

// meet returns once datagrams get from one host to an address of another. Devices
// and addresses are not ready just because a program has said so.
func meet(t testing.TB, from, to *host, addr string) {
	t.Helper()
	s, c := from.bind(t, "[::]:0"), to.bind(t, "[::]:0")
	defer s.Close()
	defer c.Close()
	var err error
	for range 1000 {
		sent := s.Urgent([]byte("hello"), at(c, addr), 0)
		if err = c.udp.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			break
		}
		if _, err = newMailbox(1, 100).read(c); err == nil {
			return
		}
		err = errors.Join(sent, err)
	}
	t.Fatalf("%s is not reached: %v", addr, err)
}

// feature turns a feature of a device on, as ethtool does.
func (h *host) feature(t testing.TB, dev, feature string) {
	t.Helper()
	var err error
	h.do(func() { err = setFeature(dev, feature) })
	if err != nil {
		t.Fatal(err)
	}
}

func setFeature(dev, feature string) error {
	names := make([]byte, 12+32*64) // struct ethtool_gstrings
	binary.NativeEndian.PutUint32(names, unix.ETHTOOL_GSTRINGS)
	binary.NativeEndian.PutUint32(names[4:], 4) // ETH_SS_FEATURES
	if err := ethtool(dev, names); err != nil {
		return err
	}
	for i := range min(binary.NativeEndian.Uint32(names[8:]), 64) {
		if unix.ByteSliceToString(names[12+32*i:][:32]) != feature {
			continue
		}
		set := make([]byte, 8+8*2) // struct ethtool_sfeatures
		binary.NativeEndian.PutUint32(set, unix.ETHTOOL_SFEATURES)
		binary.NativeEndian.PutUint32(set[4:], 2)
		for _, at := range []uint32{8, 12} { // valid, requested
			binary.NativeEndian.PutUint32(set[at+8*(i/32):], 1<<(i%32))
		}
		return ethtool(dev, set)
	}
	return fmt.Errorf("%s has no %s", dev, feature)
}

func ethtool(dev string, data []byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var r struct {
		name [unix.IFNAMSIZ]byte
		data *byte
		_    [16]byte
	}
	copy(r.name[:], dev)
	r.data = &data[0]
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return fmt.Errorf("ethtool on %s: %w", dev, errno)
	}
	runtime.KeepAlive(data)
	return nil
}

// What the kernel joins on its way in comes apart, and singles between it, too.
func TestDatagramsThatADeviceJoins(t *testing.T) {
	a, b := wire(t)
	b.feature(t, "wire0", "rx-gro")
	b.feature(t, "wire0", "rx-udp-gro-forwarding")
	c, s := b.bind(t, "10.0.0.2:0"), a.bind(t, "[::]:0")
	const total = 20_000
	window := make(chan struct{}, 64)
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { pour(t, s, 1, c.LocalAddr(), total, window) })
	m, f := newMailbox(Batch, bigBuffer), newFlow(1)
	for got := 0; got < total; {
		n, err := m.read(c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if !f.check(m.bufs[i][:m.sizes[i]]) || m.from[i] != at(s, "10.0.0.1") {
				t.Fatalf("datagram %d is not what comes next", got+i)
			}
			<-window
		}
		got += n
	}
	st := c.Stats()
	if st.Coalesced == 0 || st.Coalesced == st.Received {
		t.Errorf("%+v", st)
	}
	t.Logf("%d of %d joined, %d reads", st.Coalesced, st.Received, st.Reads)
}

// The way's MTU that the kernel believes in does not matter, the device's does:
// what is longer is left out, of runs, too.
func TestOnlyTheDeviceSaysWhatIsTooBig(t *testing.T) {
	a, b := wire(t)
	a.run(t, "ip link set wire0 mtu 1400", "ip route replace 10.0.0.2/32 dev wire0 mtu 1000")
	c, s := b.bind(t, "[::]:0"), a.bind(t, "[::]:0")
	for _, to := range []string{"10.0.0.2", "fe80::2%wire0"} {
		most := 1400 - 28
		if to != "10.0.0.2" {
			most = 1400 - 48
		}
		var sizes []int
		for _, n := range []int{most, most + 1, 300, most + 2, most} {
			sizes = append(sizes, repeat(n, 20)...)
		}
		if err := s.Write(made(sizes), at(c, to), 0); !errors.Is(err, ErrTooBig) {
			t.Errorf("to %s: %v", to, err)
		}
		for i, d := range hear(t, c, 60) {
			if want := []int{most, 300, most}[i/20]; len(d.data) != want {
				t.Fatalf("to %s: datagram %d has %d bytes, want %d", to, i, len(d.data), want)
			}
			if to != "10.0.0.2" && d.from != at(s, "fe80::1%wire0") {
				t.Fatalf("from %v", d.from)
			}
		}
	}
	if st := s.Stats(); st.TooBig != 80 || st.Unsent != 0 || st.Sent != 120 {
		t.Errorf("%+v", st)
	}
}

// Behind a slow device writes wait. Urgent datagrams do not stand behind them,
// and Close ends all.
func TestSlowDevice(t *testing.T) {
	a, b := wire(t)
	a.run(t, "tc qdisc add dev wire0 root tbf rate 20mbit burst 20000 limit 10000000")
	c, s := b.bind(t, "10.0.0.2:0"), a.bind(t, "10.0.0.1:0")
	bulk := made(repeat(1372, Batch))
	var work sync.WaitGroup
	defer func() { s.Close(); work.Wait() }()
	for range 2 * writers {
		work.Go(func() {
			var err error
			for err == nil {
				err = s.Write(bulk, c.LocalAddr(), 0)
			}
			wantClosed(t, err)
		})
	}
	for s.Stats().Waits == 0 {
		hear(t, c, 1)
	}
	for i := range 20 {
		if err := s.Urgent([]byte{byte(i)}, c.LocalAddr(), 0); err != nil {
			t.Error(err)
		}
	}
	for next := byte(0); next < 20; {
		for _, d := range hear(t, c, 1) {
			if len(d.data) > 1 {
				continue
			}
			if d.data[0] != next {
				t.Fatalf("urgent datagram %d, want %d", d.data[0], next)
			}
			next++
		}
	}
	s.Close()
	work.Wait()
	if st := s.Stats(); st.Waits == 0 || st.Unsent != 0 || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
	wantClosed(t, s.Urgent(nil, c.LocalAddr(), 0))
	wantClosed(t, s.Write(bulk, c.LocalAddr(), 0))
}
