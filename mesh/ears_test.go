package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/netstack"
	"landfall/mesh/tun"
)

// switchedFront loses what comes from the mesh while it is deaf.
type switchedFront struct {
	front.Front
	deaf atomic.Bool
}

func (s *switchedFront) Write(bufs [][]byte, offset int) (int, error) {
	if s.deaf.Load() {
		return len(bufs), nil
	}
	return s.Front.Write(bufs, offset)
}

// TestAFirewallIsFoundOutWhileStreamsRun: by the answer among what leaves.
func TestAFirewallIsFoundOutWhileStreamsRun(t *testing.T) {
	addr := landfall.MeshAddr("test", "a")
	under, err := netstack.New(netstack.Config{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	f := &switchedFront{Front: under}
	e := newEars(f, "lf-test", addr, func() tun.Health { return tun.Health{} })
	e.patience = 6 * knockEvery
	var reading sync.WaitGroup
	reading.Go(func() {
		for listenFor(e, addr) == nil { // all that leaves passes it
			continue
		}
	})
	defer reading.Wait()
	defer e.Close()
	const port = firstPort + 3
	if err := e.Listen(port, func(front.Stream) {}); err != nil {
		t.Fatal(err)
	}
	for _, deaf := range []bool{false, true, false} {
		f.deaf.Store(deaf)
		err := e.knock(t.Context(), port)
		if errors.Is(err, errUnheard) != deaf || !deaf && err != nil {
			t.Errorf("firewall %v: %v", deaf, err)
		}
		if deaf && !strings.Contains(err.Error(), "ufw allow in on lf-test") {
			t.Errorf("no cure: %v", err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f.deaf.Store(true)
	if err := e.knock(ended, port); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestTheFrontIsDoubtedForSilenceOnly: whoever refuses was reached.
func TestTheFrontIsDoubtedForSilenceOnly(t *testing.T) {
	m := &Mesh{}
	for err, want := range map[error]bool{
		context.DeadlineExceeded:    true,
		syscall.ETIMEDOUT:           true,
		faultf("not reachable"):     false,
		syscall.ECONNREFUSED:        false,
		net.ErrClosed:               false,
		context.Canceled:            false,
		errors.New("anything else"): true,
	} {
		e := newEars(nil, "lf-test", m.addr, nil)
		m.doubtFront(&running{packets: e}, fmt.Errorf("stream: %w", err))
		if got := len(e.doubt) > 0; got != want {
			t.Errorf("%v: doubted %v", err, got)
		}
	}
	m.doubtFront(nil, syscall.ETIMEDOUT)
	m.doubtFront(&running{}, syscall.ETIMEDOUT)
}

// inNamespace runs the test again, in a network namespace of its own, and
// reports whether this is that run.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const marker = "MESH_TEST_NAMESPACE"
	if os.Getenv(marker) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), marker+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("in a namespace: %v\n%s", err, out)
	}
	return false
}

func typed(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}

// TestOperatorsHearOfAFirewallAndOfALostDevice: a real device, a real nft.
func TestOperatorsHearOfAFirewallAndOfALostDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	if !inNamespace(t) {
		return
	}
	typed(t, "ip link set lo up")
	var log lockedBuffer
	m, ended := alone(t, &log)
	<-m.ready
	h := m.FrontHealth()
	if f, _ := m.Front(); f.Name != FrontTUN || h.Device != "lf-test" || h.Deaf != nil {
		t.Fatalf("%+v, %+v", f, h)
	}
	if s := log.String(); !strings.Contains(s, "front=tun device=lf-test addr="+m.addr.String()) {
		t.Errorf("nothing is said of the front: %s", s)
	}
	m.now().packets.(*ears).patience = 6 * knockEvery
	typed(t, "nft add table inet f")
	typed(t, "nft add chain inet f i { type filter hook input priority 0; }")
	for range 2 {
		typed(t, "nft add rule inet f i iifname lf-* drop")
		m.Knock(t.Context())
		m.Knock(t.Context())
		if h := m.FrontHealth(); !errors.Is(h.Deaf, errUnheard) {
			t.Errorf("behind a firewall: %+v", h)
		}
		typed(t, "nft flush chain inet f i")
		m.Knock(t.Context())
		if h := m.FrontHealth(); h.Deaf != nil {
			t.Errorf("without one: %+v", h)
		}
	}
	if s := log.String(); strings.Count(s, "level=WARN") != 2 || strings.Count(s, "reaches this machine again") != 2 || !strings.Contains(s, "ufw allow in on lf-test") {
		t.Errorf("the log: %s", s)
	}
	typed(t, "ip link del lf-test")
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "device lf-test is gone") {
		t.Errorf("without its device the mesh ends with %v", err)
	}
}

// alone is a mesh of one node on the kernel's front, which serves, and what
// its Run returns.
func alone(t *testing.T, log *lockedBuffer) (*Mesh, <-chan error) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Config{Self: "a", Network: "test", Key: landfall.NewPrivateKey(), Conns: []net.PacketConn{c}, Front: FrontTUN, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.Listen(landfall.MeshAdmin)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	ended := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { ended <- m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		l.Close()
	})
	return m, ended
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
