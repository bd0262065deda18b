package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/labrouter"
)

// routerWord makes the test binary the router's process.
const routerWord = "LAB_TEST_SERVES"

func TestMain(m *testing.M) {
	if os.Getenv(routerWord) == "" {
		os.Exit(m.Run())
	}
	if err := labrouter.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// router is this binary as the router's process.
func router() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), routerWord+"=1", "GORACE=atexit_sleep_ms=20")
	return cmd
}

// lab runs a file and returns what it printed.
func run(t *testing.T, dir, file string) (string, error) {
	t.Helper()
	if testing.Short() {
		t.Skip("namespaces take root and Debian packages; make test has both")
	}
	l, problems := config.ParseLab("lab.toml", []byte(file))
	if problems != nil {
		t.Fatal((&config.Error{Problems: problems}).Explain())
	}
	var out strings.Builder
	err := Run(t.Context(), Config{Lab: l, Name: "lab.toml", Dir: dir, Out: &out, Router: router})
	return out.String(), err
}

const machines = `
place = [{ name = "fra" }, { name = "nyc" }]
link = [{ between = ["fra", "nyc"], rtt = "20ms" }]
host = [{ name = "fra1", place = "fra", addresses = ["192.0.2.1"] }, { name = "nyc1", place = "nyc", addresses = ["198.51.100.1"] }]
report = { repeats = 0, file = "report.json" }
`

// Everything that can happen, happens, and is undone where it can be.
func TestEventsHappen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// What runs writes down what it sees, until it is told that it is over.
	out, err := run(t, filepath.Join(dir, "lab"), machines+`
program = [
	{ name = "first", host = "fra1", command = ["sh", "-c", "echo here; exec sleep 600"], ready_log = "^here$" },
	{ name = "later", host = "fra1", command = ["sh", "-c", "echo later; exec sleep 600"], waits = true },
]

[[phase]]
name = "network"
host = "nyc1"
lasts = "30s"
command = ["sh", "-c", '''
	hears() { ping -q -c 1 -W 0.3 fra1 >/dev/null; }
	until ! hears; do :; done; echo cut
	until hears; do :; done; echo healed
	until ! hears; do :; done; echo unplugged
	until hears; do :; done; echo plugged
	until ping -q -c 1 fra1 | grep -q 'min.* = 6'; do :; done; echo longer
''']
event = [
	{ at = "100ms", cut = ["fra", "nyc"] },
	{ at = "1600ms", heal = ["nyc", "fra"] },
	{ at = "3200ms", unplug = "fra1" },
	{ at = "4800ms", plug = "fra1" },
	{ at = "6400ms", change = ["fra", "nyc"], rtt = "60ms" },
]

[[phase]]
name = "programs"
lasts = "700ms"
event = [
	{ at = "100ms", start = "later" },
	{ at = "300ms", stop = "first" },
	{ at = "400ms", kill = "later" },
	{ at = "500ms", start = "first" },
	{ at = "600ms", crash = "fra1" },
]
`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said, err := os.ReadFile(filepath.Join(dir, "lab/log/nyc1-phase-network.log"))
	if want := "cut\nhealed\nunplugged\nplugged\nlonger\n"; err != nil || string(said) != want {
		t.Errorf("the network was seen as %q, %v", said, err)
	}
	for file, want := range map[string]string{"fra1-first.log": "here\nhere\n", "fra1-later.log": "later\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, "lab/log", file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	for _, want := range []string{"first on fra1: ready after", "  cut fra - nyc\n", "  plug fra1\n", "  kill later\n", "sh on nyc1  ok      longer\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "lab/report.json")); err != nil || !strings.Contains(string(b), `"last_line": "longer"`) {
		t.Errorf("report %s, %v", b, err)
	}
}

// A phase that is repeated begins as it began before.
func TestRepeatedPhasesBeginAlike(t *testing.T) {
	if testing.Short() {
		t.Skip("namespaces take root and Debian packages; make test has both")
	}
	t.Parallel()
	l, problems := config.ParseLab("lab.toml", []byte(machines+`
program = [{ name = "first", host = "fra1", command = ["sleep", "600"] }, { name = "later", host = "fra1", command = ["sleep", "600"], waits = true }]

[[phase]]
name = "one"
lasts = "50ms"
event = [
	{ at = "0s", cut = ["fra", "nyc"] }, { at = "1ms", unplug = "nyc1" }, { at = "2ms", start = "later" }, { at = "3ms", kill = "first" },
]
`))
	if problems != nil {
		t.Fatal((&config.Error{Problems: problems}).Explain())
	}
	r := newRunner(Config{Lab: l, Out: io.Discard, Router: router})
	ctx := t.Context()
	if err := r.open(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close() })
	if err := errors.Join(r.connect(), r.furnish(ctx)); err != nil {
		t.Fatal(err)
	}
	before := r.remember()
	state := func() string {
		return fmt.Sprint(r.links, r.off["nyc1"], r.running())
	}
	began := state()
	if _, err := r.phase(ctx, l.Phases[0], 0); err != nil {
		t.Fatal(err)
	}
	<-r.programs["first"].process.Done()
	if state() == began {
		t.Fatal("nothing happened")
	}
	if err := r.rewind(ctx, before); err != nil {
		t.Fatal(err)
	}
	<-r.programs["later"].process.Done()
	if again := state(); again != began {
		t.Errorf("it begins with\n%s, and began with\n%s", again, began)
	}
}

// A program that falls is missed.
func TestFallenProgramsAreTold(t *testing.T) {
	t.Parallel()
	out, err := run(t, filepath.Join(t.TempDir(), "lab"), machines+`
program = [{ name = "weak", host = "fra1", command = ["sh", "-c", "sleep 0.1; echo too heavy; exit 3"] }]
phase = [{ name = "one", lasts = "500ms" }, { name = "two", lasts = "10ms" }]
`)
	if err == nil || !strings.Contains(err.Error(), `phase "one": program "weak": exit status 3: log/fra1-weak.log ends with: too heavy`) ||
		strings.Contains(err.Error(), `"two"`) {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{" s  weak on fra1 failed: exit status 3: too heavy\n", "one    weak on fra1  exit status 3  too heavy\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	_, err = run(t, filepath.Join(t.TempDir(), "lab"), machines+`
program = [{ name = "shy", host = "fra1", command = ["sleep", "600"], ready_tcp = 9, ready_within = "100ms" }]
`)
	if err == nil || !strings.Contains(err.Error(), `program "shy"`) || !strings.Contains(err.Error(), "not ready within 0.10 s") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("not ready: %v", err)
	}
}

// line tells of a line that is printed.
type line struct {
	strings.Builder
	want string
	seen func()
}

func (l *line) Write(b []byte) (int, error) {
	if strings.Contains(string(b), l.want) {
		l.seen()
	}
	return l.Builder.Write(b)
}

// What users type happens as if the file said it.
func TestOrdersAreObeyed(t *testing.T) {
	if testing.Short() {
		t.Skip("namespaces take root and Debian packages; make test has both")
	}
	t.Parallel()
	l, problems := config.ParseLab("lab.toml", []byte(machines+`
program = [{ name = "ping", host = "nyc1", command = ["sh", "-c", "echo here; while :; do ping -q -c 1 -W 0.3 fra1 >/dev/null && echo heard || echo silence; sleep 0.05; done"], ready_log = "^here$" }]
`))
	if problems != nil {
		t.Fatal((&config.Error{Problems: problems}).Explain())
	}
	// A long name, as sockets know none.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30), "lab")
	ready, isReady := context.WithCancel(t.Context())
	ctx, stop := context.WithCancel(t.Context())
	out := &line{want: "runs until it is interrupted", seen: isReady}
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Lab: l, Name: "lab.toml", Dir: dir, Out: out, Keep: true, Router: router})
		isReady()
	}()
	<-ready.Done()
	heard := func(what string) {
		t.Helper()
		log := filepath.Join(dir, "log/nyc1-ping.log")
		before, _ := os.ReadFile(log)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for now := before; !strings.Contains(string(now[len(before):]), what) && t.Context().Err() == nil; now, _ = os.ReadFile(log) {
			<-tick.C
		}
	}
	for _, o := range []struct{ order, then string }{
		{"cut fra nyc", "silence"}, {"heal nyc fra", "heard"}, {"unplug fra1", "silence"}, {"plug fra1", "heard"},
		{"change fra nyc loss=100%", "silence"}, {"change fra nyc loss=0% rtt=40ms", "heard"},
	} {
		words := strings.Fields(o.order)
		if err := Order(t.Context(), dir, words[0], words[1:]); err != nil {
			t.Errorf("%s: %v", o.order, err)
			break
		}
		heard(o.then)
	}
	if err := Order(t.Context(), dir, "cut", []string{"fra", "nyk"}); err == nil || !strings.Contains(err.Error(), `did you mean "nyc"?`) {
		t.Errorf("a place that is none: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if want := "change fra - nyc loss=0% rtt=40ms, by hand\n"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is not in\n%s", want, out.String())
	}
	if err := Order(t.Context(), dir, "cut", []string{"fra", "nyc"}); err == nil || !strings.Contains(err.Error(), "no lab runs") {
		t.Errorf("after its end: %v", err)
	}
}
