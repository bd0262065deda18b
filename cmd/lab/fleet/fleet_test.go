package fleet

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landfall/cmd/lab"
)

const tree = "../../.."

// patience bounds the whole test, once all is built: a busy machine takes a
// multiple of what a quiet one does.
const patience = 3 * time.Minute

// services are what the tests serve beside the application that the network
// was founded with; answers are kept for two seconds.
const services = `
[[region]]
id = "nyc"
place = "40.71,-74.01"

[[region]]
id = "sin"
place = "1.29,103.85"

[[service]]
host = "go.edge.example.com"
upstream = "http://127.0.0.1:3001"

[[service]]
host = "www.shop.example"
external = true
upstream = "http://127.0.0.1:3000"

[[service]]
host = "lines.edge.example.com"
kind = "tcp"
upstream = "tcp://127.0.0.1:4000"

[steering]
ttl = "2s"
`

// world is a fleet under test.
type world struct {
	*Fleet
	*testing.T
	ctx  context.Context
	apps *Apps

	tokens []string // of invitations that were used
}

// found builds everything, and founds the network and has it grow, by the
// commands of the README.
func found(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("servers in namespaces take root, Debian packages and minutes; make test has them")
	}
	bin := t.TempDir()
	pebble, err := lab.PebbleBinary(t.Context(), filepath.Join(tree, "bench"))
	if err != nil {
		t.Fatal(err)
	}
	if err := build(t.Context(), tree, "go", "build", "-o", filepath.Join(bin, "landfall"), "./cmd/landfall"); err != nil {
		t.Fatal(err)
	}
	apps, err := BuildApps(t.Context(), tree, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	f, err := Open(ctx, Config{Dir: t.TempDir(), Bin: bin, Pebble: pebble})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Fleet: f, T: t, ctx: ctx, apps: apps}
	t.Cleanup(w.end)
	w.must(apps.Start(f))
	w.must(f.Found(ctx))
	w.must2(f.Apply(ctx, services))
	for _, s := range Joiners() {
		token, err := f.Join(ctx, s)
		w.must(err)
		w.tokens = append(w.tokens, token)
	}
	w.must(f.Delegate(ctx))
	return w
}

// end closes the lab, and shows what its programs said if the test failed.
func (w *world) end() {
	if err := w.Close(); err != nil {
		w.Error(err)
	}
	if !w.Failed() {
		return
	}
	logs := filepath.Join(w.Dir(), "log")
	if err := os.CopyFS(filepath.Join(w.ArtifactDir(), "log"), os.DirFS(logs)); err != nil {
		w.Error(err)
	}
	for _, n := range w.joined() {
		out, err := exec.Command("tail", "-n", "40", filepath.Join(logs, string(n)+"-landfall.log")).Output()
		w.Logf("%s said (%v):\n%s", n, err, out)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) must2(_ any, err error) {
	w.Helper()
	w.must(err)
}

// run is a subtest with the same world.
func (w *world) run(name string, do func(*world)) bool {
	return w.T.Run(name, func(t *testing.T) {
		in := *w
		in.T = t
		do(&in)
	})
}

// The README says what the tests type.
func TestREADMEIsWhatIsTyped(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(tree, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{Founding, Joiners()[0].Inviting(), "landfall join landfall-join1:", "landfall doctor"} {
		if !strings.Contains(string(b), "\n"+line) {
			t.Errorf("README.md does not say %q", line)
		}
	}
}
