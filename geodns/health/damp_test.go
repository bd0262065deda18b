package health

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

func TestPenalties(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tt := range []struct {
		name    string
		every   time.Duration
		falls   int
		held    int           // the fall from which on it is
		lasting time.Duration // after the last fall, rounded to seconds
	}{
		{"once", time.Second, 1, 0, 0},
		{"thrice at once", time.Second, 3, 0, 0},
		{"four times in half a minute", 10 * time.Second, 4, 4, 225 * time.Second},
		{"four times in a minute and a half", 30 * time.Second, 4, 4, 198 * time.Second},
		{"every two minutes, for ever", 2 * time.Minute, 100, 0, 0},
		{"every three seconds, for ever", 3 * time.Second, 1000, 4, 5 * time.Minute},
	} {
		var p Penalty
		now, held := start, 0
		for i := range tt.falls {
			now = start.Add(time.Duration(i) * tt.every)
			p = p.Fallen(now)
			if p.Holds(now) && held == 0 {
				held = i + 1
			}
		}
		var lasting time.Duration
		if p.Held {
			lasting = p.Until().Sub(now).Round(time.Second)
		}
		if held != tt.held || lasting != tt.lasting {
			t.Errorf("%s: held from fall %d for %v, want %d, %v", tt.name, held, lasting, tt.held, tt.lasting)
		}
		if p.Held && (!p.Holds(p.Until().Add(-1)) || p.Holds(p.Until()) || math.Abs(p.At(p.Until())-release) > 1e-6) {
			t.Errorf("%s: not let go at %v with %v points", tt.name, p.Until(), p.At(p.Until()))
		}
		if !p.sound() || p.Spared().Holds(now) || p.Spared().At(now) != p.At(now) {
			t.Errorf("%s: %+v", tt.name, p)
		}
		if back := now.Add(-time.Hour); p.At(back) != p.Points {
			t.Errorf("%s: %v points by a clock that was set back", tt.name, p.At(back))
		}
	}
}

// flapping lets b fall n times, for three seconds in eight.
func flapping(s *site, n int) {
	for range n {
		s.set(&s.refusing, "b")
		time.Sleep(3 * time.Second)
		s.set(&s.refusing)
		time.Sleep(5 * time.Second)
	}
}

func TestNodeThatFlapsIsHeldDown(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(5250 * time.Millisecond)
		flapping(s, 3)
		if r := p.Why("b"); r.Down || r.Falls < 2.5 || !r.Held.IsZero() {
			t.Errorf("after three falls: %+v", r)
		}
		flapping(s, 1)
		r := p.Why("b")
		if st := p.Stats(); !r.Down || r.Votes["a"] != Good || r.Error != "" || st.Held != 1 || st.Falls != 4 {
			t.Errorf("after four: %+v, %+v", r, st)
		}
		s.said()
		time.Sleep(time.Until(r.Held) - time.Second)
		s.expect(t)
		time.Sleep(2 * time.Second)
		if got := s.said(); len(got) != 1 || p.Why("b").Down {
			t.Errorf("when it is calm: %q, %+v", got, p.Why("b"))
		}
	})
}

func TestLastNodeIsNotHeldDown(t *testing.T) {
	probing(t, func(t *testing.T, p *Prober, s *site) {
		time.Sleep(5250 * time.Millisecond)
		flapping(s, 4)
		if r := p.Why("b"); !r.Down || r.Held.IsZero() {
			t.Fatalf("not held: %+v", r)
		}
		m := edges("a", "b", "c")
		m.Nodes[2].State = landfall.Draining // it is up, but will not be named
		p.SetMap(m)
		time.Sleep(time.Second)
		if r := p.Why("b"); !r.Down {
			t.Errorf("a is left: %+v", r)
		}
		s.set(&s.refusing, "a")
		time.Sleep(5 * time.Second)
		if r := p.Why("b"); r.Down || !r.Held.IsZero() || r.Falls < 2.5 {
			t.Errorf("nobody else is left: %+v", r)
		}
		s.set(&s.refusing)
		time.Sleep(5 * time.Second)
		if r := p.Why("b"); r.Down {
			t.Errorf("it is taken back when another returns: %+v", r)
		}
		flapping(s, 1)
		if r := p.Why("b"); !r.Down || r.Held.IsZero() {
			t.Errorf("it fell again: %+v", r)
		}
	})
}

func TestWhyTellsTheVotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite()
		p, err := New(Config{Self: "a", Probe: s.probe, Changed: s.changed})
		if err != nil {
			t.Fatal(err)
		}
		p.SetMap(servers("a", "b", "c"))
		p.Hear("b", Votes{"a": Good, "b": Good, "c": Bad})
		got := p.Why("c")
		if got.Down || got.Vantages != 3 || len(got.Votes) != 2 || got.Votes["b"] != Bad || got.Votes["a"] != Unsure {
			t.Errorf("%+v", got)
		}
		if got := p.Why("z"); got.Vantages != 0 || got.Votes != nil {
			t.Errorf("a node that is not in the map: %+v", got)
		}
	})
}
