package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	flight   map[landfall.NodeID]int // under way
	crowd    int                     // the most of one node's that were under way
	verdicts []string
	begin    time.Time
}

func (s *site) probe(ctx context.Context, n landfall.Node) error {
	s.mu.Lock()
	s.probes[n.ID]++
	s.flight[n.ID]++
	s.crowd = max(s.crowd, s.flight[n.ID])
	refusing, silent := s.refusing[n.ID], s.silent[n.ID]
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight[n.ID]--
	}()
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
	now := time.Since(s.begin).String()
	if n := len(s.verdicts); n > 0 && strings.HasPrefix(s.verdicts[n-1], now+" ") {
		s.verdicts = s.verdicts[:n-1] // of one instant, the last
	}
	s.verdicts = append(s.verdicts, fmt.Sprintf("%s %v", now, slices.Sorted(maps.Keys(d))))
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

func newSite() *site {
	return &site{probes: map[landfall.NodeID]int{}, flight: map[landfall.NodeID]int{}, begin: time.Now()}
}

func edges(ids ...landfall.NodeID) *landfall.Map {
	m := &landfall.Map{}
	for _, id := range ids {
		m.Nodes = append(m.Nodes, landfall.Node{ID: id, Roles: []landfall.Role{landfall.RoleEdge}})
	}
	return m
}

// servers are edges and name servers.
func servers(ids ...landfall.NodeID) *landfall.Map {
	m := edges(ids...)
	for i := range m.Nodes {
		m.Nodes[i].Roles = append(m.Nodes[i].Roles, landfall.RoleDNS)
	}
	return m
}

// probing runs a prober in a bubble until the test ends.
func probing(t *testing.T, test func(t *testing.T, p *Prober, s *site)) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
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
		time.Sleep(5250 * time.Millisecond)
		s.set(&s.refusing, "b")
		time.Sleep(5 * time.Second)
		s.expect(t, "6.5s [b]") // probes at 5.5, 6.0, 6.5
		if st := p.Stats(); st.Down != 1 || st.Verdicts != 1 || st.Votes != 5 {
			t.Errorf("figures: %+v", st)
		}
		s.set(&s.refusing)
		time.Sleep(5 * time.Second)
		s.expect(t, "11.1s []") // probes at 10.5 and 11.0
	})
}

func TestSilentNodeIsDownAfterThreeSeconds(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(5250 * time.Millisecond)
		s.set(&s.silent, "c")
		time.Sleep(9 * time.Second)
		s.expect(t, "8.5s [c]") // the probe at 5.5, with five behind it
		// The seventh begins in the very moment in which the first is given up.
		if s.crowd < 6 || s.crowd > 7 || s.probes["c"] != 11+18 {
			t.Errorf("%d probes of the silent node, %d at once", s.probes["c"], s.crowd)
		}
		s.set(&s.silent)
		time.Sleep(5 * time.Second)
		s.expect(t, "15.1s []") // probes at 14.5 and 15.0; those that are late say nothing any more
	})
}

func TestSilenceOfTwoSecondsIsForgiven(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		for range 10 {
			time.Sleep(5250 * time.Millisecond)
			s.set(&s.silent, "b", "c")
			time.Sleep(2 * time.Second)
			s.set(&s.silent)
		}
		time.Sleep(5 * time.Second)
		s.expect(t)
	})
}

// After a gap a way counts as lossy, so that more silence is wanted.
func TestSilenceOnALossyWay(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(5250 * time.Millisecond)
		s.set(&s.silent, "c")
		time.Sleep(2500 * time.Millisecond)
		s.set(&s.silent)
		time.Sleep(5 * time.Second) // now 12.75
		s.set(&s.silent, "c")
		time.Sleep(10 * time.Second)
		s.expect(t, "17s [c]")
	})
}

func TestProbesThatHeedNoTimeoutAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		var begun atomic.Int64
		p, err := New(Config{Changed: func(Down) {}, Probe: func(context.Context, landfall.Node) error {
			begun.Add(1)
			<-end
			return errors.New("too late")
		}})
		if err != nil {
			t.Fatal(err)
		}
		p.SetMap(edges("a"))
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		time.AfterFunc(2*time.Minute, func() { close(end) })
		p.Run(ctx)
		if n := begun.Load(); n != maxFlight {
			t.Errorf("%d probes", n)
		}
	})
}

func TestWhoIsCutOffChangesNothing(t *testing.T) {
	for _, way := range []string{"refused", "silent"} {
		probing(t, func(t *testing.T, p *Prober, s *site) {
			time.Sleep(5250 * time.Millisecond)
			lost := map[string]*map[landfall.NodeID]bool{"refused": &s.refusing, "silent": &s.silent}[way]
			s.set(lost, "b", "c") // but not itself
			time.Sleep(time.Minute)
			s.expect(t)
			if p.Stats().Isolated != 1 || !p.Why("b").Isolated {
				t.Errorf("%s: %+v, %+v", way, p.Stats(), p.Why("b"))
			}
			s.set(lost, "b") // it sees one again, and with that counts
			time.Sleep(time.Minute)
			s.expect(t, map[string]string{"refused": "1m7s [b]", "silent": "1m9s [b]"}[way]) // by probes since then
			s.set(lost)
			time.Sleep(time.Minute)
			s.expect(t, "2m6.1s []") // probes at 125.5 and 126.0
		})
	}
}

func TestNewcomerIsDownUntilItAnswers(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(10*time.Second + 250*time.Millisecond)
		p.SetMap(edges("a", "b", "c", "d"))
		s.expect(t, "10.25s [d]") // at once, before the map goes anywhere else
		time.Sleep(10 * time.Second)
		s.expect(t, "10.85s []")
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
		time.Sleep(time.Minute + 100*time.Millisecond) // to between two probes
		s.expect(t)
		s.set(&s.refusing)
		time.Sleep(time.Minute)
		s.expect(t, "1m11.35s []")
	})
}

// At the start all are named, those of a newer map as well, until a result or
// another's vote speaks against one.
func TestWhoHasJustStartedNamesAll(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		s.set(&s.silent, "b", "c", "e")
		time.Sleep(750 * time.Millisecond)
		p.SetMap(edges("a", "b", "c", "d", "e"))
		if want := (Votes{"a": Good, "b": Unsure, "c": Unsure, "d": Unsure, "e": Unsure}); !maps.Equal(p.Votes(), want) {
			t.Errorf("votes %v, want %v", p.Votes(), want) // what is only taken as up gets no good word
		}
		s.expect(t)
		time.Sleep(9 * time.Second)
		s.expect(t, "3s [b c]", "3.75s [b c e]") // e was probed from 750 ms on
	})
	probing(t, func(t *testing.T, p *Prober, s *site) {
		s.set(&s.refusing, "a") // as an edge that has just started, too, and does not serve yet
		time.Sleep(101 * time.Millisecond)
		s.expect(t, "100ms [a]") // when it has seen others
		s.set(&s.refusing)
		time.Sleep(10 * time.Second)
		s.expect(t, "1.1s []")
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
		m := edges("a", "b", "c")
		m.Nodes[0].Roles = append(m.Nodes[0].Roles, landfall.RoleDNS)
		m.Nodes = append(m.Nodes, landfall.Node{ID: "x", Roles: []landfall.Role{landfall.RoleDNS}})
		p.SetMap(m)
		s.set(&s.refusing, "c") // for us; the other reaches it, and in a tie we believe ourselves
		s.set(&s.silent, "a")   // we do not reach ourselves either
		for range 30 {
			p.Hear("x", Votes{"a": Good, "b": Good, "c": Good})
			p.Hear("a", Votes{"a": Bad, "b": Bad, "c": Bad}) // our name, not our votes
			p.Hear("y", Votes{"a": Bad, "b": Bad, "c": Bad}) // no name server
			time.Sleep(time.Second)
		}
		if got := p.Votes(); !maps.Equal(got, Votes{"a": Bad, "b": Good, "c": Bad}) {
			t.Errorf("votes %v", got)
		}
		if got := s.said(); len(got) == 0 || !strings.HasSuffix(got[len(got)-1], " [c]") {
			t.Errorf("verdicts %q, want c down, and a not", got)
		}
		if n := p.Stats().Vantages; n != 2 {
			t.Errorf("%d vantage points", n)
		}
		time.Sleep(time.Minute) // it fell silent
		if got := s.said(); len(got) != 1 || !strings.HasSuffix(got[0], " [a c]") {
			t.Errorf("verdicts %q, want a down as well", got)
		}
		if n := p.Stats().Vantages; n != 1 {
			t.Errorf("%d vantage points", n)
		}
	})
}

// Intervals, timeouts and thresholds are those of the map, from when it comes.
func TestMapSaysHowToProbe(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		m := edges("a", "b", "c", "d")
		m.Health = landfall.Health{Interval: 2 * time.Second, Timeout: 12 * time.Second, Rise: 3, Fall: 4}
		time.Sleep(250 * time.Millisecond)
		s.set(&s.refusing, "b")
		s.set(&s.silent, "c")
		p.SetMap(m)
		time.Sleep(20*time.Second + 100*time.Millisecond)
		s.expect(t, "6.25s [b]", "12.25s [b c]") // the fourth refusal; twelve seconds after the first probe
		s.set(&s.refusing)
		s.set(&s.silent)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		s.expect(t, "26.35s []") // the third at 26.25
		m = edges("a", "b", "c", "d")
		m.Health = landfall.Health{Interval: time.Hour, Timeout: 3 * time.Hour}
		p.SetMap(m)
		before := p.Stats().Probes["ok"]
		time.Sleep(59 * time.Minute)
		if n := p.Stats().Probes["ok"] - before; n != 4 {
			t.Errorf("%d probes in an hour", n)
		}
		p.SetMap(edges("a", "b", "c", "d")) // not after the hour
		before = p.Stats().Probes["ok"]
		time.Sleep(10 * time.Second)
		if n := p.Stats().Probes["ok"] - before; n != 80 {
			t.Errorf("%d probes in ten seconds", n)
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
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
