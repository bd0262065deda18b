package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// site is what a prober sees: nodes that refuse, nodes that are silent, and
// all others, which answer after 100 ms.
type site struct {
	mu       sync.Mutex
	refusing map[landfall.NodeID]bool
	silent   map[landfall.NodeID]bool
	probes   map[landfall.NodeID]int
	verdicts []string
	begin    time.Time
}

func (s *site) probe(ctx context.Context, n landfall.Node) error {
	s.mu.Lock()
	s.probes[n.ID]++
	refusing, silent := s.refusing[n.ID], s.silent[n.ID]
	s.mu.Unlock()
	if silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if refusing {
		return errors.New("connection refused")
	}
	select {
	case <-time.After(100 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *site) changed(d Down) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdicts = append(s.verdicts, fmt.Sprintf("%v %v", time.Since(s.begin), slices.Sorted(maps.Keys(d))))
}

func (s *site) set(where *map[landfall.NodeID]bool, ids ...landfall.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*where = map[landfall.NodeID]bool{}
	for _, id := range ids {
		(*where)[id] = true
	}
}

// said takes the verdicts since it was last asked.
func (s *site) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.verdicts
	s.verdicts = nil
	return out
}

func (s *site) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := s.said(); !slices.Equal(got, want) {
		t.Errorf("verdicts %q, want %q", got, want)
	}
}

func edges(ids ...landfall.NodeID) *landfall.Map {
	m := &landfall.Map{}
	for _, id := range ids {
		m.Nodes = append(m.Nodes, landfall.Node{ID: id, Roles: []landfall.Role{landfall.RoleEdge}})
	}
	return m
}

// probing runs a prober in a bubble until the test ends.
func probing(t *testing.T, test func(t *testing.T, p *Prober, s *site)) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{probes: map[landfall.NodeID]int{}, begin: time.Now()}
		p, err := New(Config{Self: "a", Probe: s.probe, Changed: s.changed})
		if err != nil {
			t.Fatal(err)
		}
		p.SetMap(edges("a", "b", "c"))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		test(t, p, s)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestHealthyNodesAreProbedQuietly(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(10*time.Second - time.Millisecond)
		s.expect(t)
		if s.probes["b"] != 20 || p.Stats().Probes["ok"] != 60 {
			t.Errorf("%v probes, %+v", s.probes, p.Stats())
		}
	})
}

func TestNodeThatRefusesIsDownAfterASecond(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(250 * time.Millisecond)
		s.set(&s.refusing, "b")
		time.Sleep(5 * time.Second)
		s.expect(t, "1.5s [b]") // probes at 0.5, 1.0, 1.5
		if st := p.Stats(); st.Down != 1 || st.Verdicts != 1 || st.Votes != 2 {
			t.Errorf("figures: %+v", st)
		}
		s.set(&s.refusing)
		time.Sleep(5 * time.Second)
		s.expect(t, "6.1s []") // probes at 5.5 and 6.0
	})
}

func TestSilentNodeIsNotProbedTwiceAtOnce(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(250 * time.Millisecond)
		s.set(&s.silent, "c")
		time.Sleep(10 * time.Second)
		if got := s.said(); len(got) != 1 || !slices.Contains([]string{"6.5s [c]", "7s [c]", "7.5s [c]"}, got[0]) {
			t.Errorf("verdicts %q", got)
		}
		if s.probes["c"] > 6 {
			t.Errorf("%d probes of the silent node", s.probes["c"])
		}
	})
}

func TestWhoIsCutOffChangesNothing(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		s.set(&s.refusing, "b", "c") // but not itself
		time.Sleep(time.Minute)
		s.expect(t)
		s.set(&s.refusing)
		time.Sleep(time.Minute) // seeing again does not either
		s.expect(t)
		s.set(&s.refusing, "b", "c")
		time.Sleep(time.Minute)
		if want := (Votes{"a": Good, "b": Unsure, "c": Unsure}); !maps.Equal(p.Votes(), want) {
			t.Errorf("votes %v, want %v", p.Votes(), want)
		}
	})
}

func TestNewcomerIsDownUntilItAnswers(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(10*time.Second + 250*time.Millisecond)
		p.SetMap(edges("a", "b", "c", "d"))
		s.expect(t, "10.25s [d]") // at once, before the map goes anywhere else
		time.Sleep(10 * time.Second)
		s.expect(t, "11.1s []")
		p.SetMap(edges("a", "b"))
		time.Sleep(10 * time.Second)
		s.expect(t)
	})
}

func TestNewcomerToASingleEdgeIsDownUntilItAnswers(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		p.SetMap(edges("a"))
		s.set(&s.refusing, "b")
		time.Sleep(10*time.Second + 250*time.Millisecond)
		p.SetMap(edges("a", "b"))
		s.expect(t, "10.25s [b]")
		time.Sleep(time.Minute)
		s.expect(t)
		s.set(&s.refusing)
		time.Sleep(time.Minute)
		s.expect(t, "1m11.1s []")
	})
}

func TestNodeThatLeftIsForgotten(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		s.set(&s.refusing, "b")
		time.Sleep(10 * time.Second)
		s.said()
		p.SetMap(edges("a", "c"))
		if got := s.said(); len(got) != 1 || got[0] != "10s []" {
			t.Errorf("verdicts %q", got)
		}
	})
}

func TestOthersVotesCountWhileTheyAreFresh(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		s.set(&s.refusing, "c") // for us; two others reach it
		for range 30 {
			p.Hear("x", Votes{"a": Good, "b": Good, "c": Good})
			p.Hear("y", Votes{"a": Good, "b": Good, "c": Good})
			p.Hear("a", Votes{"a": Bad, "b": Bad, "c": Bad}) // our name, not our votes
			time.Sleep(time.Second)
		}
		s.expect(t)
		if n := p.Stats().Vantages; n != 4 {
			t.Errorf("%d vantage points", n)
		}
		time.Sleep(time.Minute) // they fell silent
		if got := s.said(); len(got) != 1 {
			t.Errorf("verdicts %q, want c down", got)
		}
		if n := p.Stats().Vantages; n != 1 {
			t.Errorf("%d vantage points", n)
		}
	})
}

func TestStoppingSaysNothingAboutNodes(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(550 * time.Millisecond) // probes are under way
	})
}

func TestBadConfigs(t *testing.T) {
	good := Config{Probe: func(context.Context, landfall.Node) error { return nil }, Changed: func(Down) {}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no probe":    func(c *Config) { c.Probe = nil },
		"nobody told": func(c *Config) { c.Changed = nil },
		"interval":    func(c *Config) { c.Interval = -1 },
		"timeout":     func(c *Config) { c.Timeout = -1 },
		"rise":        func(c *Config) { c.Rules.Rise = -1 },
		"fall":        func(c *Config) { c.Rules.Fall = -1 },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
