package wan

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestEventsAreInForceForTheirTime(t *testing.T) {
	base := Link{Delay: 10, Loss: 0.5, Rate: 100}
	spells := []spell{}
	for _, e := range []Event{
		{At: 30, For: 20, Change: Brownout(50, 5, 0.2)},
		{At: 10, For: 10, Change: Cut()},
		{At: 15, Change: Reroute(90)},
		{At: 40, For: 1, Change: Cut()},
		{At: 40, For: 1, Change: Heal()}, // the later word wins
		{At: 45, For: 100, Change: Narrow(1280, true)},
	} {
		spells = insert(spells, e.spell(epoch))
	}
	var changes []time.Duration
	for at := time.Duration(0); ; {
		l, rest, next := inForce(base, append([]spell(nil), spells...), epoch.Add(at))
		want := base
		if at >= 15 {
			want.Delay = 90
		}
		if at >= 30 && at < 50 {
			want.Delay, want.Rate, want.Loss = 95, 50, 0.6
		}
		want.Down = at >= 10 && at < 20
		if at >= 45 && at < 145 {
			want.MTU, want.ICMP = 1280, true
		}
		if l != want {
			t.Errorf("at %d: %+v, want %+v", at, l, want)
		}
		if changes = append(changes, at); next.IsZero() {
			if len(rest) != 1 {
				t.Errorf("%d events are kept when all but one are over", len(rest))
			}
			break
		}
		at = next.Sub(epoch)
	}
	if want := []time.Duration{0, 10, 15, 20, 30, 40, 41, 45, 50, 145}; !slices.Equal(changes, want) {
		t.Errorf("changes at %v, want %v", changes, want)
	}
}

func TestCheckRefusesEvents(t *testing.T) {
	n := New(1)
	good := Event{From: "a", To: "b", Change: Cut()}
	for _, e := range []Event{
		{From: "a", To: "b"}, {At: -1, Change: Cut()}, {For: -1, Change: Cut()}, {Change: Reroute(-1)},
		{Change: Brownout(-1, 0, 0)}, {Change: Brownout(0, 0, 2)}, {Change: Narrow(-1, false)},
	} {
		if n.Schedule(time.Now(), good, e) == nil {
			t.Errorf("%+v was taken", e)
		}
	}
	if l, _, _ := n.path("a", "b").state(time.Now()); l.Down {
		t.Error("events were taken beside one that was refused")
	}
}

// A path that is looked at now and then is what one is that is looked at all
// the time.
func TestScheduleDoesNotDependOnWhoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		often, seldom := New(1), New(1)
		for range 50 {
			e := Event{
				At: time.Duration(r.Int64N(int64(time.Minute))), For: time.Duration(r.Int64N(int64(20 * time.Second))), From: "a", To: "b",
				Change: []Change{Cut(), Heal(), Reroute(time.Duration(r.IntN(1000))), Brownout(1000, 7, 0.1), Narrow(r.IntN(1500), true)}[r.IntN(5)],
			}
			for _, n := range []*Network{often, seldom} {
				if err := n.Schedule(time.Now(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
		p, q := often.path("a", "b"), seldom.path("a", "b")
		for i := range 900 {
			time.Sleep(100 * time.Millisecond)
			l, _, _ := p.state(time.Now())
			if i%50 != 49 {
				continue
			}
			if m, _, _ := q.state(time.Now()); l != m || p.up != q.up {
				t.Fatalf("after %d: %+v and %+v, up %v and %v", i, l, m, p.up, q.up)
			}
		}
	})
}

// What hands change is apart from what is scheduled.
func TestHandsAndScheduleMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		n.Connect("a", "b", Link{Delay: 5})
		n.Schedule(time.Now(), Event{At: 10, For: 10, From: "a", To: "b", Change: Cut()})
		is := func(delay time.Duration, down bool) {
			t.Helper()
			for _, p := range []*path{n.path("a", "b"), n.path("b", "a")} {
				if l, _, _ := p.state(time.Now()); l != (Link{Delay: delay, Down: down}) {
					t.Errorf("%v: %+v", time.Now().UnixNano()%100, l)
				}
			}
		}
		is(5, false)
		time.Sleep(10 * time.Nanosecond)
		is(5, true)
		n.Heal("a", "b")
		is(5, true)
		n.Connect("a", "b", Link{Delay: 7})
		is(7, true)
		time.Sleep(10 * time.Nanosecond)
		is(7, false)
		n.Cut("a", "b")
		n.Schedule(time.Now(), Event{For: 5, From: "a", To: "b", Change: Heal()})
		is(7, false)
		time.Sleep(5 * time.Nanosecond)
		is(7, true)
	})
}

// Streams stall while a scheduled cut lasts, and go on by themselves.
func TestStreamsOutliveScheduledCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := ocean(t, Link{Delay: 10 * ms})
		near, there := far(t, n, 0)
		start := time.Now()
		n.Schedule(start, Event{At: 5 * ms, For: time.Second, From: "client", To: "fra", Change: Cut()})
		time.Sleep(6 * ms)
		if _, err := near.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := there.Read(make([]byte, 1)); err != nil || time.Since(start) != time.Second+15*ms {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
