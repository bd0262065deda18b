package conformance

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// room is a network namespace with nothing but loopback, where the addresses of
// the world are ours. Who asks anybody else hears at once that there is no way.
type room struct{ work chan func() }

func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{work: make(chan func())}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and never let go: the thread ends with the namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if failed <- err; err != nil {
			return
		}
		for f := range r.work {
			f()
		}
	}()
	if err := <-failed; err != nil {
		t.Fatalf("a network namespace, for which root is needed: %v", err)
	}
	t.Cleanup(func() { close(r.work) })
	r.run(t, "ip", "link", "set", "lo", "up")
	return r
}

// do runs a function in the room.
func (r *room) do(f func()) {
	done := make(chan struct{})
	r.work <- func() { defer close(done); f() }
	<-done
}

// run runs a program there and returns what it said.
func (r *room) run(t *testing.T, argv ...string) (out string) {
	t.Helper()
	r.do(func() {
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		b, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(argv, " "), err, b)
		}
		out = string(b)
	})
	return out
}

// pygraphviz gives Debian's dnsviz the module that it looks for there, and which
// Debian's pygraphviz has no more.
const pygraphviz = `import sys, types, pygraphviz
sys.modules["pygraphviz.release"] = pygraphviz.release = types.ModuleType("pygraphviz.release")
pygraphviz.release.version = pygraphviz.__version__
`

// TestDnsvizFindsNoFault has dnsviz look at a zone from its key down: its name
// servers at the addresses that it names for them, their answers by UDP and TCP,
// signatures, proofs and EDNS. Whatever is above the zone is left out.
func TestDnsvizFindsNoFault(t *testing.T) {
	outside(t)
	r := newRoom(t)
	var addrs []netip.AddrPort
	var servers []string
	for _, e := range edges {
		for _, a := range []string{e.v4, e.v6} {
			ip := netip.MustParseAddr(a)
			r.run(t, "ip", "addr", "add", netip.PrefixFrom(ip, ip.BitLen()).String(), "dev", "lo", "nodad")
			addrs = append(addrs, netip.AddrPortFrom(ip, 53))
			if ip.Is6() {
				a = "[" + a + "]"
			}
			servers = append(servers, fmt.Sprintf("%s1.ns.%s=%s", e.id, domain, a))
		}
	}
	s := signedAt(t, r.do, addrs...)
	dir := t.TempDir()
	trusted, probe := write(t, dir, "keys", s.anchors()), filepath.Join(dir, "probe.json")
	names := []string{domain, "nothing." + domain}
	for _, q := range known {
		if strings.HasSuffix(q.name, "."+domain) {
			names = append(names, q.name)
		}
	}
	r.run(t, append([]string{"dnsviz", "probe", "-d", "0", "-E", "-A", "-x", domain + "+:" + strings.Join(servers, ","), "-o", probe}, names...)...)
	if info, err := os.Stat(probe); err != nil || info.Size() == 0 {
		t.Fatal("dnsviz asked nothing")
	}
	shim := filepath.Dir(write(t, dir, "shim/sitecustomize.py", pygraphviz))
	look := func(level string) string {
		return output(t, "env", "PYTHONPATH="+shim, "dnsviz", "grok", "-P", "-l", level, "-t", trusted, "-r", probe)
	}
	if out := strings.TrimSpace(look("warning")); out != "" && out != "{}" {
		t.Error(out)
	}
	out := look("info")
	for _, name := range names {
		if !strings.Contains(out, fmt.Sprintf("%q: {", name+".")) {
			t.Errorf("nothing is said of %s", name)
		}
	}
	if valid := strings.Count(out, `"status": "VALID"`); valid < len(names) || strings.Contains(out, "BOGUS") || strings.Contains(out, "INVALID") || strings.Contains(out, "INSECURE") {
		t.Errorf("%d valid signatures for %d names\n%s", valid, len(names), out)
	}
}
