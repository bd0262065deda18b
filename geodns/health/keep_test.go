package health

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// life is one run of a name server, whose memory is a directory.
func life(t *testing.T, dir string, log *bytes.Buffer, s *site, m *landfall.Map, test func(p *Prober)) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	p, err := New(Config{Self: "a", Probe: s.probe, Changed: s.changed, Keep: root, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	p.SetMap(m)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	test(p)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func isKnown(p *Prober) bool {
	select {
	case <-p.Known():
		return true
	default:
		return false
	}
}

func TestRestartedNameServerGoesByWhatItKnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s, log := t.TempDir(), newSite(), &bytes.Buffer{}
		life(t, dir, log, s, edges("a", "b", "c"), func(p *Prober) {
			s.set(&s.refusing, "b")
			time.Sleep(10 * time.Second)
			s.set(&s.refusing)
			time.Sleep(10 * time.Second)
			s.set(&s.refusing, "b")
			time.Sleep(10 * time.Second)
			s.said()
		})
		time.Sleep(9 * time.Minute)
		s.set(&s.silent, "a", "b", "c", "d") // it is alone in the world
		life(t, dir, log, s, edges("a", "b", "c", "d"), func(p *Prober) {
			if !isKnown(p) {
				t.Error("what was kept is not known at once")
			}
			s.expect(t, "9m30s [b]")
			if got, want := p.Votes(), (Votes{"a": Unsure, "b": Unsure, "c": Unsure, "d": Unsure}); !maps.Equal(got, want) {
				t.Errorf("votes %v, want %v: what it knew is not what it sees", got, want)
			}
			time.Sleep(time.Minute - 100*time.Millisecond) // to before a probe
			s.expect(t)
			s.set(&s.silent)
			s.set(&s.refusing)
			time.Sleep(10 * time.Second)
			s.expect(t, "10m30.6s []") // probes at 10:30.0 and 30.5; d has done nothing wrong
			if f := p.Why("b").Falls; f < 0.01 || f > 0.1 {
				t.Errorf("%v falls are left of two", f)
			}
		})
		if log.Len() > 0 && strings.Contains(log.String(), "WARN") {
			t.Errorf("log: %s", log)
		}
	})
}

func TestMemoryThatIsNoGood(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, file string){
		"too old":   func(*testing.T, string) { time.Sleep(keptFor + time.Second) },
		"cut short": func(t *testing.T, file string) { rewrite(t, file, func(b []byte) []byte { return b[:len(b)/2] }) },
		"empty":     func(t *testing.T, file string) { rewrite(t, file, func([]byte) []byte { return nil }) },
		"another kind": func(t *testing.T, file string) {
			rewrite(t, file, func([]byte) []byte { return []byte(`{"version":2}`) })
		},
		"a directory": func(t *testing.T, file string) {
			if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir, s, log := t.TempDir(), newSite(), &bytes.Buffer{}
			life(t, dir, log, s, edges("a", "b", "c"), func(p *Prober) {
				s.set(&s.refusing, "b")
				time.Sleep(10 * time.Second)
			})
			if log.Reset(); len(s.said()) != 1 {
				t.Fatal("b is not down")
			}
			spoil(t, filepath.Join(dir, keptFile))
			s.set(&s.refusing)
			life(t, dir, log, s, edges("a", "b", "c"), func(p *Prober) {
				if isKnown(p) {
					t.Errorf("%s: something is known", name)
				}
				time.Sleep(10 * time.Second)
				s.expect(t)
			})
			if !strings.Contains(log.String(), "what was kept of nodes' health is not used") {
				t.Errorf("%s: log %s", name, log)
			}
			if name == "a directory" && strings.Count(log.String(), "is not kept for a restart") != 1 {
				t.Errorf("%s: log %s", name, log)
			}
		})
	}
}

func rewrite(t *testing.T, file string, by func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, by(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The first question is answered when something is known, and not much later
// if nothing can be.
func TestVerdictIsKnownBeforeTheFirstQuestion(t *testing.T) {
	type bad = []landfall.NodeID
	for name, tt := range map[string]struct {
		refusing, silent bad
		m                *landfall.Map
		votes            Votes // of b, after a second
		known            time.Duration
		down             []landfall.NodeID
	}{
		"all answer":                      {nil, nil, edges("a", "b", "c"), nil, 100 * time.Millisecond, nil},
		"all answer, others are silent":   {nil, nil, servers("a", "b", "c"), nil, 100 * time.Millisecond, nil},
		"one refuses":                     {bad{"c"}, nil, edges("a", "b", "c"), nil, 100 * time.Millisecond, bad{"c"}},
		"one is silent":                   {nil, bad{"c"}, edges("a", "b", "c"), nil, 3 * time.Second, bad{"c"}},
		"nobody answers":                  {nil, bad{"a", "b", "c"}, edges("a", "b", "c"), nil, 3 * time.Second, nil},
		"one refuses us only":             {bad{"c"}, nil, servers("a", "b", "c"), Votes{"a": Good, "b": Good, "c": Good}, 4 * time.Second, bad{"c"}}, // c itself is not heard
		"one refuses, the other heard it": {bad{"c"}, nil, pairAnd("c"), Votes{"a": Good, "b": Good, "c": Good}, time.Second, bad{"c"}},
		"there is no map":                 {nil, nil, nil, nil, 4 * time.Second, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite()
			s.set(&s.refusing, tt.refusing...)
			s.set(&s.silent, tt.silent...)
			var down Down
			p, err := New(Config{Self: "a", Probe: s.probe, Changed: func(d Down) { down = d }})
			if err != nil {
				t.Fatal(err)
			}
			if tt.m != nil {
				p.SetMap(tt.m)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			if tt.votes != nil {
				time.AfterFunc(time.Second, func() { p.Hear("b", tt.votes) })
			}
			<-p.Known()
			synctest.Wait()
			if took := time.Since(s.begin); took != tt.known || !slices.Equal(slices.Sorted(maps.Keys(down)), tt.down) {
				t.Errorf("%s: known after %v, want %v; down are %v, want %v", name, took, tt.known, down, tt.down)
			}
			stop()
			<-ended
		})
	}
}

// pairAnd are the name servers a and b, which are edges, and other edges.
func pairAnd(others ...landfall.NodeID) *landfall.Map {
	m := servers("a", "b")
	m.Nodes = append(m.Nodes, edges(others...).Nodes...)
	return m
}

func FuzzMemory(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	v := newVantage("a")
	v.setMap(now, servers("a", "b"), nil)
	v.observe("b", Result{Silent, now, now}, errors.New("no answer"))
	good, err := json.Marshal(v.remember(now))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(good), "", "{}", `{"version":1}`, `{"version":1,"when":"2023-11-14T22:13:20Z","nodes":{"b":{"vote":1,"penalty":{"points":3,"held":true}}}}`, `{"version":1,"when":"2023-11-14T22:13:20Z","nodes":{"b":{"vote":-1,"down":true,"penalty":{"points":1e-300,"held":true,"when":"0001-01-01T00:00:00Z"}}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b, now)
		if err != nil {
			return
		}
		v := newVantage("a")
		v.setMap(now, servers("a", "b", "c"), r)
		for i := range 20 {
			v.tick(now.Add(time.Duration(i) * time.Minute))
		}
		for id := range v.down {
			if !v.watch.watches(id) {
				t.Errorf("%s is down, and not in the map", id)
			}
			if held := v.why(now.Add(20*time.Minute), id); !held.Held.IsZero() {
				t.Errorf("held for ever: %+v", held)
			}
		}
		if _, err := json.Marshal(v.remember(now)); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

func FuzzVotes(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":-1,"c":0}`, `{}`, `null`, `{"a":2}`, `{"a":1e3}`, `{"a":"1"}`, `[1]`, `{"":1,"a":1,"a":-1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		votes, err := ParseVotes(b)
		if err != nil {
			return
		}
		v := newVantage("a")
		now := time.Unix(1_700_000_000, 0)
		v.setMap(now, servers("a", "b"), nil)
		v.hear(now, "b", votes)
		for id := range v.down {
			if id != "a" && id != "b" {
				t.Errorf("%q is down", id)
			}
		}
	})
}
