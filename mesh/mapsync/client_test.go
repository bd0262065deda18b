package mapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

const rtt = 140 * ms

// region is a town with a control node and edges that know only bootstrap.
type region struct {
	*town
	key     SigningKey
	store   memory
	control *Control
	boot    *landfall.Map
	edges   []*Client
	notes   []*diary
}

func newRegion(t *testing.T, edges int) *region {
	t.Helper()
	boot := testMap(0, edges)
	r := &region{town: newTown(t, rtt, boot.Nodes...), key: NewSigningKey(), store: newMemory(), boot: boot}
	r.control = newControl(t, r.store, r.key)
	if _, err := r.control.Begin(t.Context(), boot); err != nil {
		t.Fatal(err)
	}
	r.serve("fra1", r.store)
	for i := range edges {
		c, notes := r.run(Config{Self: landfall.NodeID(fmt.Sprintf("nyc%d", i+1)), Key: r.key.Public(), Bootstrap: boot})
		r.edges, r.notes = append(r.edges, c), append(r.notes, notes)
	}
	return r
}

// change makes the next map and says when.
func (r *region) change(title string) (landfall.Serial, time.Time) {
	r.t.Helper()
	m, err := r.control.Change(r.t.Context(), retitle(title))
	if err != nil {
		r.t.Fatal(err)
	}
	return m.Serial, time.Now()
}

func TestNewsTakesHalfARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 3)
		time.Sleep(10 * time.Second)
		for i := range 20 {
			serial, at := r.change(fmt.Sprint(i))
			time.Sleep(time.Duration(i) * 731 * ms) // at every phase of the polls
			time.Sleep(rtt)
			for e, n := range r.notes {
				// Half a round trip for the answer; another half when the
				// question was just on its way back to home.
				if took := n.when(serial).Sub(at); n.when(serial).IsZero() || took > rtt {
					t.Errorf("serial %d at edge %d: after %v", serial, e, took)
				}
			}
		}
	})
}

func TestApplyHearsBootstrapThenEachNewerMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 1)
		time.Sleep(time.Second)
		for i := range 5 {
			r.change(fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		if got := r.notes[0].all(); !slices.Equal(got, []landfall.Serial{0, 1, 2, 3, 4, 5, 6}) {
			t.Errorf("applied %v", got)
		}
		if s := r.edges[0].Stats(); s.Serial != 6 || s.Accepted != 6 || s.Asked["failed"] != 0 || s.Heard > 21 || s.Age > 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestSlowApplyMissesOnlyWhatWasOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 1)
		_, notes := r.run(Config{Self: "nyc9", Key: r.key.Public(), Bootstrap: r.boot, Apply: func(*landfall.Map) { time.Sleep(time.Minute) }})
		for i := range 10 {
			time.Sleep(7 * time.Second)
			r.change(fmt.Sprint(i))
		}
		time.Sleep(5 * time.Minute)
		got := notes.all()
		if !slices.IsSorted(got) || got[len(got)-1] != 11 || len(got) > 5 {
			t.Errorf("applied %v", got)
		}
	})
}

// Home answers nobody but one edge: the others learn from that one.
func TestPeersCarryTheNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 6)
		time.Sleep(time.Minute)
		for i := 2; i <= 6; i++ {
			r.wan.Cut("fra1", wan.Site(fmt.Sprintf("nyc%d", i)))
		}
		time.Sleep(5 * time.Minute)
		serial, at := r.change("news")
		time.Sleep(time.Minute)
		for e, n := range r.notes {
			if n.when(serial).IsZero() {
				t.Errorf("edge %d never heard", e)
				continue
			}
			t.Logf("edge %d after %v", e, n.when(serial).Sub(at))
		}
		for e, n := range r.notes {
			if took := n.when(serial).Sub(at); took > 6*2*rtt { // once round the ring, dialled anew
				t.Errorf("edge %d after %v", e, took)
			}
		}
		for i := 2; i <= 6; i++ {
			r.wan.Heal("fra1", wan.Site(fmt.Sprintf("nyc%d", i)))
		}
		time.Sleep(time.Minute)
		serial, at = r.change("back")
		time.Sleep(rtt)
		for e, n := range r.notes {
			if n.when(serial).IsZero() || n.when(serial).Sub(at) > rtt {
				t.Errorf("edge %d after the healing: %v", e, n.when(serial).Sub(at))
			}
		}
	})
}

// At a control node the store is asked, and others are served from it.
func TestControlNodeFollowsItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 0)
		c, notes := r.run(Config{Self: "fra1", Key: r.key.Public(), Bootstrap: r.boot, Local: r.store})
		time.Sleep(time.Second)
		serial, at := r.change("x")
		synctest.Wait()
		if notes.when(serial) != at || c.Map().Serial != serial {
			t.Errorf("applied %v", notes.all())
		}
	})
}

func TestNodeStartsAloneFromItsDisk(t *testing.T) {
	dir := t.TempDir()
	key := NewSigningKey()
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, rtt)
		store := newMemory()
		control := newControl(t, store, key)
		if _, err := control.Begin(t.Context(), testMap(0, 2)); err != nil {
			t.Fatal(err)
		}
		w.serve("fra1", store)
		w.run(Config{Self: "nyc1", Key: key.Public(), Bootstrap: testMap(0, 2), Cache: openRoot(t, dir)})
		for i := range 5 {
			time.Sleep(time.Second)
			control.Change(t.Context(), retitle(fmt.Sprint(i)))
		}
		time.Sleep(time.Second)
	})
	files, _ := os.ReadDir(dir)
	if len(files) != cached || files[0].Name() != fileName(4) {
		t.Errorf("kept %v", files)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, rtt)
		start := time.Now()
		c, notes := w.run(Config{Self: "nyc1", Key: key.Public(), Bootstrap: testMap(0, 2), Cache: openRoot(t, dir)})
		time.Sleep(time.Hour)
		if got := notes.all(); !slices.Equal(got, []landfall.Serial{6}) || notes.when(6) != start {
			t.Errorf("applied %v", got)
		}
		if d, err := c.Watch(t.Context(), 0); err != nil || d.Serial != 6 {
			t.Errorf("serves serial %d, %v", d.Serial, err)
		}
		// An hour of nobody there: knocking is spaced.
		if n := w.knocks("fra1"); n < 100 || n > 3600*2 {
			t.Errorf("home was knocked at %d times in an hour", n)
		}
	})
}

func TestBadCopyOnDiskIsNamedSetAsideAndNotUsed(t *testing.T) {
	key := NewSigningKey()
	foreign := testMap(3, 1)
	foreign.Network = "other"
	for name, bad := range map[string][]byte{
		"cut off":         signed(t, testMap(3, 1), key).Bytes[:200],
		"empty":           nil,
		"another key":     signed(t, testMap(3, 1), NewSigningKey()).Bytes,
		"another network": signed(t, foreign, key).Bytes,
		"another serial":  signed(t, testMap(9, 1), key).Bytes,
		"too large":       make([]byte, MaxSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for n, b := range map[landfall.Serial][]byte{1: signed(t, testMap(1, 1), key).Bytes, 2: signed(t, testMap(2, 1), key).Bytes, 3: bad} {
				if err := os.WriteFile(filepath.Join(dir, fileName(n)), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var log bytes.Buffer
			c, err := New(Config{
				Self: "nyc1", Key: key.Public(), Bootstrap: testMap(0, 1), Cache: openRoot(t, dir),
				Dial: func(context.Context, landfall.NodeID) (net.Conn, error) { return nil, errors.New("nobody") },
				Log:  slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			shelf, _ := c.shelf()
			c.start(shelf)
			if c.serial() != 2 {
				t.Errorf("started from serial %d", c.serial())
			}
			if !strings.Contains(log.String(), fileName(3)) {
				t.Errorf("the log does not name the file: %s", log.String())
			}
			// The true serial 3 arrives: both are there afterwards.
			three := signed(t, testMap(3, 1), key)
			if err := c.accept(three.Bytes, 2); err != nil {
				t.Fatal(err)
			}
			c.save(shelf, three)
			if b, _ := os.ReadFile(filepath.Join(dir, fileName(3)+badSuffix)); !bytes.Equal(b, bad) {
				t.Errorf("the bad file is lost")
			}
			if b, _ := os.ReadFile(filepath.Join(dir, fileName(3))); !bytes.Equal(b, three.Bytes) {
				t.Errorf("the good file is not there")
			}
		})
	}
}

// liar answers every question with the same bytes.
type liar struct {
	b     []byte
	asked atomic.Int64
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.asked.Add(1)
	if l.b == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Write(l.b)
}

func TestLiesAreRefusedCountedAndNotAskedForAgainAtOnce(t *testing.T) {
	key := NewSigningKey()
	foreign := testMap(9, 1)
	foreign.Network = "other"
	faulty := seal(key, `{"network":"landfall","serial":9}`)
	good := signed(t, testMap(9, 1), key).Bytes
	for name, c := range map[string]struct {
		b      []byte
		reason string
	}{
		"older":           {signed(t, testMap(4, 1), key).Bytes, "older"},
		"the same":        {signed(t, testMap(5, 1), key).Bytes, "older"},
		"another network": {signed(t, foreign, key).Bytes, "network"},
		"another key":     {signed(t, testMap(9, 1), NewSigningKey()).Bytes, "signature"},
		"cut off":         {good[:len(good)-1], "signature"},
		"garbage":         {[]byte("hello"), "malformed"},
		"faulty":          {faulty, "faulty"},
		"endless":         {make([]byte, MaxSize+100), "malformed"},
		"no news, hasty":  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t, rtt)
				l := &liar{b: c.b}
				d := &door{conns: make(chan net.Conn), shut: make(chan struct{})}
				w.open("fra1", d)
				srv := &http.Server{Handler: l}
				w.work.Go(func() { srv.Serve(d) })
				defer srv.Close()
				cl, notes := w.run(Config{Self: "nyc1", Key: key.Public(), Bootstrap: testMap(0, 1)})
				cl.newest.set(Signed{5, []byte("five")}, testMap(5, 1))
				time.Sleep(5 * time.Second)
				if cl.serial() != 5 || slices.Max(notes.all()) > 5 {
					t.Errorf("serial %d, applied %v", cl.serial(), notes.all())
				}
				if n := l.asked.Load(); n < 3 || n > 15 {
					t.Errorf("asked %d times in 5 s", n)
				}
				if s := cl.Stats(); c.reason != "" && s.Refused[c.reason] == 0 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// Of three control nodes the first is dead: the others are asked, and the
// dead one is not waited for each time.
func TestAnotherControlNodeTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boot := testMap(0, 1)
		for _, id := range []landfall.NodeID{"fra2", "fra3"} {
			n := boot.Nodes[0]
			n.ID, n.Advertised, n.Endpoints, n.Mesh, n.Key = id, nil, nil, landfall.MeshAddr("landfall", id), landfall.NewPrivateKey().Public()
			n.Roles = []landfall.Role{landfall.RoleOrigin}
			boot.Nodes = append(boot.Nodes, n)
		}
		w := newTown(t, rtt, boot.Nodes...)
		w.wan.Cut("fra1", "nyc1")
		key, store := NewSigningKey(), newMemory()
		control := newControl(t, store, key)
		if _, err := control.Begin(t.Context(), boot); err != nil {
			t.Fatal(err)
		}
		w.serve("fra2", store)
		w.serve("fra3", store)
		_, notes := w.run(Config{Self: "nyc1", Key: key.Public(), Bootstrap: boot})
		time.Sleep(10 * time.Second)
		for i := range 5 {
			m, err := control.Change(t.Context(), retitle(fmt.Sprint(i)))
			at := time.Now()
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(13 * time.Second)
			if took := notes.when(m.Serial).Sub(at); notes.when(m.Serial).IsZero() || took > rtt {
				t.Errorf("serial %d after %v", m.Serial, took)
			}
		}
	})
}

func TestClientNeedsItsParts(t *testing.T) {
	good := Config{
		Self: "nyc1", Key: NewSigningKey().Public(), Bootstrap: testMap(0, 1),
		Dial: func(context.Context, landfall.NodeID) (net.Conn, error) { return nil, errors.New("nobody") },
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"self":      func(c *Config) { c.Self = "" },
		"key":       func(c *Config) { c.Key = landfall.MapKey{} },
		"bootstrap": func(c *Config) { c.Bootstrap = nil },
		"network":   func(c *Config) { c.Bootstrap = &landfall.Map{} },
		"dial":      func(c *Config) { c.Dial = nil },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("no %s was fine", name)
		}
	}
}

// Whatever lies in the map directory: a start never fails, uses nothing that
// was not signed, and destroys nothing.
func FuzzMapDirectory(f *testing.F) {
	key := sameKey()
	good := signed(f, testMap(3, 1), key).Bytes
	f.Add(good, "map-00000000000000000003.signed")
	f.Add(good[:100], "map-00000000000000000003.signed")
	f.Add(good, "map-00000000000000000004.signed")
	f.Add([]byte{}, "map-18446744073709551615.signed")
	f.Add([]byte("x"), "map-3.signed")
	f.Add([]byte("x"), "map-00000000000000000003.signed.tmp")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		if strings.ContainsAny(name, "/\\") {
			return
		}
		c, err := New(Config{
			Self: "nyc1", Key: key.Public(), Bootstrap: testMap(0, 1),
			Dial: func(context.Context, landfall.NodeID) (net.Conn, error) { return nil, errors.New("nobody") },
		})
		if err != nil {
			t.Fatal(err)
		}
		d := ramDisk{name: bytes.Clone(b)}
		c.start(shelf{d, key.Public(), cached})
		if c.serial() != 0 && !bytes.Equal(b, good) {
			t.Errorf("started from serial %d in %q", c.serial(), name)
		}
		kept := false
		for _, now := range d {
			kept = kept || bytes.Equal(now, b)
		}
		if !kept {
			t.Errorf("%q is lost", name)
		}
	})
}
