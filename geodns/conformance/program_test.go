package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience bounds whatever other programs have to do: loaded machines are slow.
const patience = time.Minute

// built is the program, made of the source beside us.
type built struct {
	once sync.Once
	dir  string
	err  error
}

// ours is built by the first test that wants it, and goes with the last.
var ours built

func TestMain(m *testing.M) {
	code := m.Run()
	if ours.dir != "" {
		os.RemoveAll(ours.dir)
	}
	os.Exit(code)
}

// program is where the built program lies.
func (b *built) program(t *testing.T) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "conformance"); b.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(b.dir, "landfall"), "landfall/cmd/landfall").CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, "landfall")
}

// outside marks a test that needs programs of Debian, and time.
func outside(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Debian packages")
	}
}

// sized is how much of something a test does: few, or many for the full size.
func sized(few, many int) int {
	if os.Getenv("LANDFALL_SOAK") != "" {
		return many
	}
	return few
}

// server is a program that answers.
type server struct {
	name string
	addr netip.AddrPort
	cmd  *exec.Cmd
	out  *bytes.Buffer // read it when the program has ended
	done chan struct{}
	err  error // how it ended, once done is closed
}

// run starts a program that ends with the test, and waits until it answers for
// a zone.
func run(t *testing.T, name string, addr netip.AddrPort, zone string, argv ...string) *server {
	t.Helper()
	path, err := find(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	s := &server{name: name, addr: addr, out: new(bytes.Buffer), done: make(chan struct{})}
	s.cmd = exec.Command(path, argv[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the program dies with the thread that started it
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		if started <- err; err == nil {
			s.err = s.cmd.Wait()
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	if err := s.ready(zone); err != nil {
		s.stop(t)
		t.Fatalf("%s: %v\n%s", name, err, s.out)
	}
	return s
}

// find is where a program lies; some lie apart from those for everybody.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(filepath.Join("/usr/sbin", name))
	if err != nil {
		return "", fmt.Errorf("%w: make deps installs it", err)
	}
	return path, nil
}

// ready asks until there is an answer.
func (s *server) ready(zone string) error {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(zone), dns.TypeSOA)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	enough := time.After(patience)
	for {
		c := dns.Client{Timeout: 200 * time.Millisecond}
		a, _, err := c.Exchange(m, s.addr.String())
		if err == nil && a.Rcode == dns.RcodeSuccess {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.done:
			return errors.New("it ended by itself")
		case <-enough:
			return fmt.Errorf("no answer for %s at %v: %w", zone, s.addr, err)
		}
	}
}

// stop ends the program and waits for it.
func (s *server) stop(t *testing.T) {
	t.Helper()
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(patience):
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.done
		t.Errorf("%s did not end when it was asked to", s.name)
	}
}

// alive fails the test if the program has ended.
func (s *server) alive(t *testing.T) {
	t.Helper()
	select {
	case <-s.done:
		t.Fatalf("%s ended: %v\n%s", s.name, s.err, s.out)
	default:
	}
}

// free finds a port of loopback that nobody has, by UDP or TCP.
func free(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		l.Close()
		if err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return netip.AddrPort{}
}

// write writes a file into a folder.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// output runs a program to its end and returns what it said.
func output(t *testing.T, argv ...string) string {
	t.Helper()
	path, err := find(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}
