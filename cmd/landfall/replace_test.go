package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"landfall/cmd/internal/coarse"

	"github.com/miekg/dns"
)

const replacedNetwork = `
name = "app"
domain = "app.test"
[[region]]
id = "fra"
place = "50.11,8.68"
home = true
[[node]]
id = "fra1"
region = "fra"
roles = ["edge", "dns"]
addresses = ["192.0.2.1"]
[[service]]
host = "www.app.test"
upstream = "http://127.0.0.1:3000"
`

const nodeNetwork = `
name = "app"
domain = "app.test"
[[region]]
id = "home"
place = "0,0"
home = true
[[record]]
name = "www.app.test"
type = "A"
data = "192.0.2.1"
`

// nameServer is a name server that is replaced now and then.
type nameServer struct {
	program, dir, addr string
	log                *os.File
	first              *server
}

// server is one process of it.
type server struct {
	*os.Process
	ended chan struct{}
}

func (s *server) kill() {
	_ = s.Kill() // it may have ended
	<-s.ended
}

// newProgram is a directory with the program, and nothing that runs.
func newProgram(t *testing.T) *nameServer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := &nameServer{dir: t.TempDir()}
	n.program = filepath.Join(n.dir, "landfall")
	if err := os.Symlink(self, n.program); err != nil { // by this name it is the program, see TestMain
		t.Fatal(err)
	}
	if n.log, err = os.Create(filepath.Join(n.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.log.Close()
		if t.Failed() {
			t.Logf("the servers said:\n%s", n.said(t))
		}
	})
	return n
}

// serveDNS starts a name server in a directory of its own.
func serveDNS(t *testing.T) *nameServer {
	t.Helper()
	n := newProgram(t)
	if _, err := coarse.File(n.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, "network.toml"), []byte(replacedNetwork), 0o600); err != nil {
		t.Fatal(err)
	}
	n.addr = "127.0.0.1:0"
	n.first = n.start(t)
	n.addr = n.await(t, `answering for app\.test on (\S+)`)
	return n
}

// start starts a process that serves, in the place of another if there is one.
func (n *nameServer) start(t *testing.T) *server {
	t.Helper()
	return n.spawn(t, "dns", "serve", "--network", "network.toml", "--geo", "geo.mmdb",
		"--listen", n.addr, "--probe", "none", "--state", "state", "--verbose", "--replace")
}

func (n *nameServer) command(args ...string) *exec.Cmd {
	cmd := exec.Command(n.program, args...)
	cmd.Dir = n.dir
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=20") // a second else, with -race
	return cmd
}

// spawn starts a process that goes on.
func (n *nameServer) spawn(t *testing.T, args ...string) *server {
	t.Helper()
	cmd := n.command(args...)
	cmd.Stdout, cmd.Stderr = n.log, n.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &server{cmd.Process, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	t.Cleanup(p.kill)
	return p
}

// run runs a command to its end.
func (n *nameServer) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := n.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("landfall %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (n *nameServer) said(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(n.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// await waits for a line, and returns its first group.
func (n *nameServer) await(t *testing.T, line string) string {
	t.Helper()
	re := regexp.MustCompile(line)
	deadline := time.After(30 * time.Second)
	for {
		if m := re.FindStringSubmatch(n.said(t)); m != nil {
			return m[1]
		}
		select {
		case <-deadline:
			t.Fatalf("never: %s", line)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// replace has the server replaced, and returns who serves then.
func (n *nameServer) replace(t *testing.T) (pid int, err error) {
	t.Helper()
	return n.replaced(t, "dns", "replace", "--state", "state")
}

func (n *nameServer) replaced(t *testing.T, args ...string) (pid int, err error) {
	t.Helper()
	out, err := n.command(args...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	m := regexp.MustCompile(`^replaced: process (\d+) serves now\n$`).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("it says %q", out)
	}
	return strconv.Atoi(string(m[1]))
}

// askers ask all the time, by UDP and by TCP, until they are stopped.
type askers struct {
	asking         sync.WaitGroup
	stop           context.CancelFunc
	answered, lost atomic.Int64
	last           atomic.Pointer[error]
}

// patience is how long an answer may take: a query that is lost never has one.
const patience = 5 * time.Second

func ask(t *testing.T, addr string) *askers {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	a := &askers{stop: stop}
	for i := range 6 {
		client := &dns.Client{Net: "udp", Timeout: patience}
		if i >= 4 {
			client.Net = "tcp"
		}
		a.asking.Go(func() { a.ask(ctx, client, addr) })
	}
	t.Cleanup(a.wait)
	return a
}

func (a *askers) wait() {
	a.stop()
	a.asking.Wait()
}

func (a *askers) ask(ctx context.Context, client *dns.Client, addr string) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for ctx.Err() == nil {
		q := new(dns.Msg).SetQuestion("www.app.test.", dns.TypeA)
		got, _, err := client.ExchangeContext(context.WithoutCancel(ctx), q, addr)
		if err == nil && (got.Rcode != dns.RcodeSuccess || len(got.Answer) != 1) {
			err = errors.New(got.String())
		}
		if err != nil {
			a.lost.Add(1)
			a.last.Store(&err)
		} else {
			a.answered.Add(1)
		}
		<-tick.C
	}
}

// pace is the time between two queries of an asker. All together ask less than
// one network may by UDP.
const pace = 6 * time.Millisecond

// check reports what was lost.
func (a *askers) check(t *testing.T) {
	t.Helper()
	a.wait()
	if a.lost.Load() > 0 {
		t.Errorf("%d queries of %d lost, the last by: %v", a.lost.Load(), a.lost.Load()+a.answered.Load(), *a.last.Load())
	}
	t.Logf("%d queries answered", a.answered.Load())
}

// One replacement a second, and all who ask are answered.
func TestReplacingLosesNoQuery(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	times := 5
	if os.Getenv("LANDFALL_SOAK") != "" {
		times = 30
	}
	n := serveDNS(t)
	load := ask(t, n.addr)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := range times {
		<-tick.C
		pid, err := n.replace(t)
		if err != nil {
			t.Fatalf("replacement %d: %v", i, err)
		}
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	}
	<-tick.C
	load.check(t)
}

// A successor that cannot serve changes nothing, and says why.
func TestReplacingByWhatIsWrongChangesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	n := serveDNS(t)
	load := ask(t, n.addr)
	network := filepath.Join(n.dir, "network.toml")
	if err := os.WriteFile(network, []byte(strings.ReplaceAll(replacedNetwork, `region = "fra"`, `region = "nowhere"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.replace(t); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("replaced by what is wrong: %v", err)
	}
	if err := os.WriteFile(network, []byte(replacedNetwork), 0o600); err != nil {
		t.Fatal(err)
	}
	pid, err := n.replace(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	load.check(t)
}

// A node is replaced as a whole: its name server answers all the time, and the
// rest of it is there again when the command has ended.
func TestReplacingANodeLosesNoQuery(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	times := 2
	if os.Getenv("LANDFALL_SOAK") != "" {
		times = 30
	}
	n := newProgram(t)
	n.run(t, "init", "app", "--domain", "app.test", "--dir", "state", "--address", "127.20.7.1")
	if err := os.WriteFile(filepath.Join(n.dir, "more.toml"), []byte(nodeNetwork), 0o600); err != nil {
		t.Fatal(err)
	}
	n.spawn(t, "run", "--dir", "state", "--verbose", "--replace")
	n.await(t, "(serves origin,edge,dns)")
	n.run(t, "map", "apply", "more.toml", "--dir", "state")
	n.addr = "127.20.7.1:53"
	n.answers(t, nil)
	load := ask(t, n.addr)
	for i := range times {
		pid, err := n.replaced(t, "replace", "--dir", "state")
		if err != nil {
			t.Fatalf("replacement %d: %v", i, err)
		}
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		if got := n.run(t, "status", "--dir", "state"); !strings.Contains(got, "udp://127.20.7.1:53") {
			t.Errorf("after replacement %d:\n%s", i, got)
		}
	}
	load.check(t)
}

// Whichever of the two is killed while one takes the place of the other, the
// other serves. Who is killed when it has taken over is missed by nobody but
// its service manager, which starts another.
func TestKillsWhileReplacingLeaveOneWhoServes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	rounds := 12
	if os.Getenv("LANDFALL_SOAK") != "" {
		rounds = 200
	}
	n := serveDNS(t)
	n.kills(t, n.first, n.start, rounds)
}

// The same of nodes.
func TestKillsWhileReplacingANodeLeaveOneWhoServes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	rounds := 6
	if os.Getenv("LANDFALL_SOAK") != "" {
		rounds = 100
	}
	n := newProgram(t)
	n.run(t, "init", "app", "--domain", "app.test", "--dir", "state", "--address", "127.20.7.2")
	start := func(t *testing.T) *server { return n.spawn(t, "run", "--dir", "state", "--verbose", "--replace") }
	first := start(t)
	n.await(t, "(serves origin,edge,dns)")
	n.addr = "127.20.7.2:53"
	n.kills(t, first, start, rounds)
	n.run(t, "status", "--dir", "state")
}

// kills starts successors of whoever serves, and kills one of the two at some
// moment: mostly within the time that it takes when nobody is killed.
func (n *nameServer) kills(t *testing.T, now *server, start func(*testing.T) *server, rounds int) {
	t.Helper()
	began := time.Now()
	next := start(t)
	<-now.ended
	within := time.Since(began) * 5 / 4
	now = next
	early := 0
	for i := range rounds {
		next := start(t)
		<-time.After(rand.N(within))
		if i%2 == 0 {
			now.kill()
			now = next
		} else {
			next.kill()
			if n.answers(t, now.ended) {
				early++
			} else {
				now = start(t)
			}
		}
		n.answers(t, nil)
	}
	t.Logf("%d of %d successors were killed before they had taken over", early, rounds/2)
}

// answers waits until somebody answers, or until a process has ended: then it
// reports false.
func (n *nameServer) answers(t *testing.T, ended <-chan struct{}) bool {
	t.Helper()
	client := &dns.Client{Timeout: 300 * time.Millisecond}
	deadline := time.After(30 * time.Second)
	for {
		_, _, err := client.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion("www.app.test.", dns.TypeA), n.addr)
		if err == nil {
			return true
		}
		select {
		case <-ended:
			return false
		case <-deadline:
			t.Fatalf("nobody serves: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
