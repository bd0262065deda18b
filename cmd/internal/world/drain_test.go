package world

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/cmd/internal/control"
)

// resolver starts unbound, as a caching resolver that sends client subnets to
// the world's name servers, and waits until it answers.
func resolver(t *testing.T, w *World) netip.AddrPort {
	t.Helper()
	program, err := exec.LookPath("unbound")
	if err != nil {
		program = "/usr/sbin/unbound"
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "unbound.conf")
	if err := os.WriteFile(conf, []byte(resolverConfig(w, dir, port)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-d", "-c", conf)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (make deps installs it)", err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		found, err := lookup(ctx, addr, w.chatHost(), subnets()["nyc1"])
		cancel()
		if err == nil && len(found) > 0 {
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("unbound does not answer: %v", err)
		}
	}
}

func resolverConfig(w *World, dir string, port uint16) string {
	m := w.Map()
	b := &strings.Builder{}
	fmt.Fprintf(b, `server:
  directory: %q
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  verbosity: 0
  num-threads: 1
  interface: 127.0.0.1@%d
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "subnetcache iterator"
  client-subnet-always-forward: yes
  local-zone: "test." nodefault
`, dir, port)
	for n := range m.Having(landfall.RoleDNS) {
		fmt.Fprintf(b, "  send-client-subnet: %v\n", n.Advertised[0])
	}
	fmt.Fprintf(b, "remote-control:\n  control-enable: no\nstub-zone:\n  name: %q\n", m.Domain+".")
	for n := range m.Having(landfall.RoleDNS) {
		fmt.Fprintf(b, "  stub-addr: %v@%d\n", n.Advertised[0], m.Ports.EffectiveDNS())
	}
	return b.String()
}

// TestDrainLosesNothing takes an edge out while users all over the world load
// pages and listen, through a caching resolver that goes on naming the edge
// until its answers are old.
func TestDrainLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: make test runs it")
	}
	rate, streamsEach, after := 100, 20, 14*time.Second // the resolver keeps answers for ten
	if testing.Short() {
		rate, streamsEach, after = 20, 3, 3*time.Second
	}
	w := start(t)
	res := resolver(t, w)
	streams := openStreams(t, w, streamsEach)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	all := map[landfall.NodeID]*users{}
	var running sync.WaitGroup
	for id, subnet := range subnets() {
		u := &users{world: w, resolver: res, subnet: subnet, every: time.Second / time.Duration(rate), served: map[string]int{}}
		all[id] = u
		running.Go(func() { u.run(ctx) })
	}
	pause(ctx, time.Second)

	took := drainSeenAfter(t, w, "nyc1")
	if took > 2*time.Second {
		t.Errorf("name servers still named nyc1 %v after the drain", took)
	}
	pause(ctx, after)
	sent := say(t, w)
	stop()
	running.Wait()
	for id, u := range all {
		t.Logf("users near %s: %d asked, served by %v; drain seen after %v", id, u.asked.Load(), u.served, took)
		if len(u.faults) > 0 {
			t.Errorf("users near %s: %d of %d failed, first: %v", id, len(u.faults), u.asked.Load(), u.faults[0])
		}
		if u.served[string(id)] == 0 {
			t.Errorf("users near %s were never served there: %v", id, u.served)
		}
	}
	if !testing.Short() && all["nyc1"].served["fra1"] == 0 {
		t.Errorf("the users of nyc1 never moved to the next edge: %v", all["nyc1"].served)
	}
	for i, s := range streams {
		if err := s.err.Load(); err != nil {
			t.Errorf("stream %d was cut: %v", i, *err)
		} else if s.got.Load() < int64(sent) {
			t.Errorf("stream %d got %d messages of %d", i, s.got.Load(), sent)
		}
		s.close()
	}
}

// drainSeenAfter drains a node as an operator does, and returns how long
// after that any name server named it last.
func drainSeenAfter(t *testing.T, w *World, id landfall.NodeID) time.Duration {
	t.Helper()
	m := w.Map()
	n, _ := m.Node(id)
	begin := time.Now()
	if _, err := control.NewClient(w.cfg.Dir).SetState(t.Context(), id, landfall.Draining); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Since(begin) < 10*time.Second {
		named := false
		for server := range m.Having(landfall.RoleDNS) {
			at := netip.AddrPortFrom(server.Advertised[0], m.Ports.EffectiveDNS())
			addrs, err := lookup(t.Context(), at, w.chatHost(), subnets()[id])
			if err != nil {
				t.Fatal(err)
			}
			named = named || slices.Contains(addrs, n.Advertised[0])
		}
		if !named {
			return time.Since(begin)
		}
		<-tick.C
	}
	return time.Since(begin)
}

// say posts messages for the streams, and returns how many, once the last of
// them has had the time to cross any ocean.
func say(t *testing.T, w *World) int {
	t.Helper()
	tr := &tour{world: w, host: w.chatHost()}
	home := w.Map().Origins()[0]
	c := w.client(netip.AddrPortFrom(home.Advertised[0], w.Map().Ports.EffectiveHTTPS()), nil)
	defer c.CloseIdleConnections()
	const messages = 5
	for i := range messages {
		if err := tr.say(t.Context(), c, fmt.Sprintf("drain-%d", i), "still there?"); err != nil {
			t.Fatal(err)
		}
	}
	pause(t.Context(), time.Second)
	return messages
}

// pause lets the load go on for a while: it waits for nothing.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
