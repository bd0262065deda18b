package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

const followedNetwork = `
name = "shop"
domain = "edge.example.com"
[[region]]
id = "fra"
place = "50.11,8.68"
home = true
[[zone]]
name = "example.com"
file = "zones/example.com.zone"
`

// lockedBuffer is written by one and read by another.
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

// A name server alone serves what its files say, and what they said as long as
// they say nothing good.
func TestNetworkFileIsFollowed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "zones"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("network.toml", followedNetwork)
	write("zones/example.com.zone", "www A 192.0.2.1\n$INCLUDE more\n")
	write("zones/more", "a A 192.0.2.1\n")
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		f := &networkFile{
			env: &Env{Dir: dir}, name: "network.toml", log: slog.New(slog.NewTextHandler(&log, nil)),
			prepare: func(m *landfall.Map) error { return nil },
		}
		first, err := f.open(t.Context())
		if err != nil || first.Serial == 0 {
			t.Fatal(first, err)
		}
		var mu sync.Mutex
		var applied []*landfall.Map
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			f.follow(ctx, func(m *landfall.Map) {
				mu.Lock()
				defer mu.Unlock()
				applied = append(applied, m)
			})
			close(done)
		}()
		// changes reports how many maps came of a change of files.
		changes := func(what string, want int, change func()) {
			t.Helper()
			mu.Lock()
			before := len(applied)
			mu.Unlock()
			change()
			time.Sleep(5 * followEvery)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := len(applied) - before; got != want {
				t.Errorf("%s: %d new maps, want %d; log:\n%s", what, got, want, &log)
			}
		}
		changes("nothing", 0, func() {})
		changes("a record more", 1, func() { write("zones/more", "a A 192.0.2.1\nbb A 192.0.2.2\n") })
		changes("a fault", 0, func() { write("zones/more", "a A 192.0.2.1\nbad  A 192.0.2.777\n") })
		if want := "zones/more:2:8: "; !strings.Contains(log.String(), want) || strings.Count(log.String(), "refused") != 1 {
			t.Errorf("no %q, or more than one of them, in the log:\n%s", want, &log)
		}
		if got := f.now.Load(); got != applied[0] {
			t.Error("the map in force is not the good one")
		}
		changes("no file", 0, func() { _ = os.Remove(filepath.Join(dir, "zones/more")) })
		changes("the file again, as it was", 0, func() { write("zones/more", "bb A 192.0.2.2\na A 192.0.2.1 ; the same\n") })
		changes("one record less", 1, func() { write("zones/more", "a A 192.0.2.1\n") })
		changes("a head", 1, func() {
			write("zones/example.com.zone", "@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.9\nwww A 192.0.2.1\n$INCLUDE more\n")
		})
		changes("no head", 0, func() { write("zones/example.com.zone", "@ NS ns\nns A 192.0.2.9\nwww A 192.0.2.1\n$INCLUDE more\n") })
		if want := "zone example.com has lost its SOA record"; !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, &log)
		}
		changes("nothing at all", 0, func() { write("zones/example.com.zone", "") })
		if want := "zones/example.com.zone:1:1: there is no record of example.com in the file"; !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, &log)
		}
		changes("a pipe", 0, func() {
			write("zones/example.com.zone", "@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.9\nwww A 192.0.2.1\n$INCLUDE more\n$INCLUDE pipe\n")
			if err := syscall.Mkfifo(filepath.Join(dir, "zones/pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
		})
		changes("no pipe, and no less than before", 0, func() {
			write("zones/example.com.zone", "@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.9\nwww A 192.0.2.1\n$INCLUDE more\n")
		})
		if s := f.Stats(); s.Refused != 0 || s.Loaded == 0 || f.trouble() != "" {
			t.Errorf("figures %+v and trouble %q of good files", s, f.trouble())
		}
		changes("a fault in the network", 0, func() { write("network.toml", followedNetwork+"nonsense") })
		if s := f.Stats(); s.Refused != 1 || !strings.Contains(f.trouble(), "network.toml:") {
			t.Errorf("figures %+v and trouble %q of files with a fault", s, f.trouble())
		}
		for _, want := range []string{
			`level=INFO msg="zone changed" zone=example.com records=3 added=1 removed=0`,
			`level=INFO msg="zone changed" zone=example.com records=2 added=0 removed=1`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %q in the log:\n%s", want, &log)
			}
		}
		changes("another network", 1, func() { write("network.toml", strings.ReplaceAll(followedNetwork, "50.11", "50.12")) })
		for i, m := range append([]*landfall.Map{first}, applied...) {
			if i > 0 && m.Serial <= first.Serial {
				t.Errorf("serial %d after %d", m.Serial, first.Serial)
			}
			first = m
		}
		stop()
		<-done
	})
}

// Zones come and go with a word.
func TestZonesThatComeAndGoAreTold(t *testing.T) {
	record := func(name, data string) landfall.Record { return landfall.Record{Name: name, Type: "A", Data: data} }
	before := &landfall.Map{Domain: "edge.test", Zones: []landfall.Zone{
		{Name: "example.org", Records: []landfall.Record{record("a.example.org", "192.0.2.1"), record("b.example.org", "192.0.2.1")}},
	}}
	after := &landfall.Map{Domain: "edge.test", Records: []landfall.Record{record("a.edge.test", "192.0.2.1")}, Zones: []landfall.Zone{
		{Name: "example.net", Records: []landfall.Record{record("a.example.net", "192.0.2.1")}},
	}}
	var log lockedBuffer
	tellZones(slog.New(slog.NewTextHandler(&log, nil)), before, after)
	tellZones(slog.New(slog.NewTextHandler(&log, nil)), after, after)
	var got []string
	for line := range strings.Lines(log.String()) {
		_, line, _ := strings.Cut(line, " ") // without its time
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		`level=INFO msg="zone changed" zone=edge.test records=1 added=1 removed=0`,
		`level=INFO msg="zone loaded" zone=example.net records=1`,
		`level=WARN msg="zone no longer served" zone=example.org records=2`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

// A start with faults serves what the files said when they were good, if that is
// known and nobody else serves it.
func TestStartWithFaultsServesTheLastGoodFiles(t *testing.T) {
	dir := t.TempDir()
	network := strings.ReplaceAll(followedNetwork, "zones/", "")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log lockedBuffer
	open := func(name, state string, spare bool) (*networkFile, *landfall.Map, error) {
		f := &networkFile{
			env: &Env{Dir: dir}, name: name, log: slog.New(slog.NewTextHandler(&log, nil)), state: state, spare: spare,
			prepare: func(*landfall.Map) error { return nil },
		}
		m, err := f.open(t.Context())
		return f, m, err
	}
	state := t.TempDir()
	write("network.toml", network)
	write("other.toml", strings.ReplaceAll(network, "example.com.zone", "none.zone"))
	write("example.com.zone", "www A 192.0.2.1\n")
	_, good, err := open("network.toml", state, true)
	if err != nil {
		t.Fatal(err)
	}
	write("example.com.zone", "www A 192.0.2.1\nbad A 1.2.3\n")
	f, last, err := open("network.toml", state, true)
	if err != nil || len(landfall.Diff(good, last)) > 0 || last.Serial != good.Serial || f.now.Load() != last {
		t.Fatalf("a start with a fault: %+v, %v; want %+v", last, err, good)
	}
	if f.Stats().Refused != 1 || !strings.Contains(f.trouble(), "example.com.zone:2:7") || !strings.Contains(log.String(), "serving what the network file said when it was good") {
		t.Errorf("trouble %q, log:\n%s", f.trouble(), &log)
	}
	for _, tt := range []struct {
		name, state string
		spare       bool
	}{{"network.toml", t.TempDir(), true}, {"network.toml", "", true}, {"network.toml", state, false}, {"other.toml", state, true}} {
		if _, m, err := open(tt.name, tt.state, tt.spare); err == nil {
			t.Errorf("%+v: a map %+v of nothing", tt, m)
		}
	}
	write("example.com.zone", "www A 192.0.2.7\n")
	if _, m, err := open("network.toml", state, true); err != nil || len(landfall.Diff(good, m)) == 0 {
		t.Errorf("good files again: %+v, %v", m, err)
	}
	if err := os.WriteFile(filepath.Join(state, lastFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	write("example.com.zone", "bad A 1.2.3\n")
	if _, m, err := open("network.toml", state, true); err == nil {
		t.Errorf("a damaged copy: %+v", m)
	}
}

// A file that cannot be written is told before it is needed.
func TestFilesThatCanBeWritten(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{pipe: true, filepath.Join(dir, "new"): true, dir: false, filepath.Join(dir, "none/new"): false} {
		if err := writable(name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What never ends takes up room, but holds nobody up; what ends late leaves it.
func TestReadingThatNeverEndsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, over := make(patience, 2), make(chan struct{})
		hang := func() int { <-over; return 1 }
		for range cap(room) {
			ctx, stop := context.WithTimeoutCause(t.Context(), readTime, errSlowReading)
			if _, err := await(ctx, room, hang); err != errSlowReading {
				t.Errorf("error %v, want that it is slow", err)
			}
			stop()
		}
		if _, err := await(t.Context(), room, hang); err != errManyReading {
			t.Errorf("error %v, want that there are too many", err)
		}
		close(over)
		synctest.Wait()
		if n, err := await(t.Context(), room, hang); n != 1 || err != nil {
			t.Errorf("%d, %v after room was left", n, err)
		}
	})
}

// Files that others include lie where the operator says, whatever the way.
func TestIncludedFilesLieWhereTheyMay(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(dir, "more"):         "a A 192.0.2.1\n",
		filepath.Join(elsewhere, "secret"): "root:x:0:0\n",
		filepath.Join(elsewhere, "more"):   "b A 192.0.2.1\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(elsewhere, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, include, folders, want string }{
		{"below", "more", "", ""},
		{"below, in full", dir + "/more", "", ""},
		{"elsewhere", elsewhere + "/secret", "", "/secret is not below the folder"},
		{"by a way that is not straight", dir + "/../" + filepath.Base(elsewhere) + "/secret", "", "is not below the folder"},
		{"by a link", "link", "", "/secret is not below the folder"},
		{"a folder beside with a longer name", dir + "x/more", "", "no such file"},
		{"where the operator says", elsewhere + "/more", elsewhere, ""},
		{"nowhere", "none", "", "no such file"},
		{"a folder", dir + "/.", "", "is not below the folder"},
		{"a device", "/dev/null", "/dev", "not a regular file"},
	} {
		network := followedNetwork + `include = ["` + c.folders + `"]`
		if c.folders == "" {
			network = followedNetwork
		}
		network = strings.ReplaceAll(network, "zones/", "")
		for name, text := range map[string]string{"network.toml": network, "example.com.zone": "www A 192.0.2.1\n$INCLUDE " + c.include + "\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		said := ""
		if _, err := readMap(&Env{Dir: dir}, "network.toml"); err != nil {
			said = inFull(err).Error()
		}
		if !strings.Contains(said, c.want) || c.want == "" && said != "" || strings.Contains(said, "root:x") {
			t.Errorf("%s: said %q, want %q and nothing of a file's text", c.name, said, c.want)
		}
	}
}

// A name server that stands at an address of a node goes by that node's name.
func TestNodeAtAnAddress(t *testing.T) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := &landfall.Map{Nodes: []landfall.Node{
		{ID: "one", Advertised: []netip.Addr{netip.MustParseAddr("192.0.2.1")}},
		{ID: "two", Advertised: []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("127.0.0.1")}},
		{ID: "three", Advertised: []netip.Addr{netip.MustParseAddr("127.0.0.1")}},
	}}
	if got := nodeAt(m, []*net.UDPConn{c}); got != "two" {
		t.Errorf("node %q, want two", got)
	}
	if got := nodeAt(m, nil); got != "" {
		t.Errorf("node %q without a socket", got)
	}
}
