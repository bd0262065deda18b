package challenge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// took runs a function and tells how long it took.
func took(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

func TestPresentReturnsAfterOneRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 70*ms, "nyc1", "sin1")
		w.servers["sin1"].road.setDelay(120 * ms)
		time.Sleep(30 * time.Second)
		for i := range 20 {
			set := token(fmt.Sprint(i))
			d, err := took(func() error { return w.book.Present(t.Context(), set) })
			// The answer goes out at once, unless the question is on its way.
			if err != nil || d > 4*120*ms || i == 0 && d < 2*120*ms {
				t.Fatalf("after %v: %v", d, err)
			}
			for id, s := range w.servers {
				if got, known := s.serves(); !known || !reflect.DeepEqual(got, set) {
					t.Fatalf("%s serves %v, %v", id, got, known)
				}
			}
			time.Sleep(time.Duration(i) * 733 * ms) // at every phase of the questions
		}
		if s := w.book.Stats(); s.Version != 21 || s.Names != 1 || s.Missed != 0 || s.Silent != 0 || s.Serving != 2 {
			t.Errorf("book: %+v", s)
		}
		if s := w.servers["nyc1"].client.Stats(); s.Known != 1 || s.Expired != 0 || s.Asked["failed"] != 0 {
			t.Errorf("client: %+v", s)
		}
		if w.servers["nyc1"].applied != 21 {
			t.Errorf("applied %d sets", w.servers["nyc1"].applied)
		}
	})
}

func TestSilenceIsToldAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0, "nyc1", "sin1")
		nyc := w.servers["nyc1"]
		synctest.Wait()
		if _, known := nyc.serves(); !known {
			t.Fatal("not known in the first moment")
		}
		start := time.Now() // the next answers are held until 4 s, 8 s
		time.Sleep(9 * time.Second)
		nyc.road.cut()
		d, err := took(func() error { return w.book.Present(t.Context(), token("a")) })
		// The answer with the set left at 9 s and was lost; the one before it,
		// which came, had left at 8 s.
		if err != nil || d != 8*time.Second+Silence+margin-9*time.Second {
			t.Errorf("Present: after %v: %v", d, err)
		}
		if len(nyc.unknown) != 1 || nyc.unknown[0].Sub(start) != 8*time.Second+Silence {
			t.Errorf("unknown at %v", nyc.unknown)
		}
		if wrong := w.judge(token("a")); wrong != nil {
			t.Errorf("wrong: %v", wrong)
		}
		if s := w.book.Stats(); s.Missed != 1 || s.Silent != 0 || s.Serving != 1 {
			t.Errorf("book: %+v", s)
		}
		// Known to be silent, it is not waited for a second time.
		time.Sleep(time.Second)
		if d, err := took(func() error { return w.book.Present(t.Context(), token("b")) }); err != nil || d != 0 {
			t.Errorf("second Present: after %v: %v", d, err)
		}
		nyc.road.heal()
		time.Sleep(pauseMost)
		if got, known := nyc.serves(); !known || !reflect.DeepEqual(got, token("b")) {
			t.Errorf("healed: %v, %v", got, known)
		}
	})
}

func TestHomeRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 50*ms, "nyc1")
		nyc := w.servers["nyc1"]
		time.Sleep(5 * time.Second)
		if err := w.book.Present(t.Context(), token("old")); err != nil { // its version 2
			t.Fatal(err)
		}
		w.stop()
		w.start()
		// At its version 2 the new process must not take the old one's for it.
		d, err := took(func() error { return w.book.Present(t.Context(), token("new")) })
		if got, _ := nyc.serves(); err != nil || d > time.Second || !reflect.DeepEqual(got, token("new")) {
			t.Errorf("after %v: %v, serves %v", d, err, got)
		}
		if len(nyc.unknown) != 0 {
			t.Errorf("a restart made challenges unknown at %v", nyc.unknown)
		}
		// The new process has not told nyc1 anything, but the old one has.
		nyc.road.cut()
		w.stop()
		w.start()
		d, err = took(func() error { return w.book.Present(t.Context(), nil) })
		if err != nil || d != Silence+margin {
			t.Errorf("in silence: after %v: %v", d, err)
		}
		if wrong := w.judge(nil); wrong != nil {
			t.Errorf("wrong: %v", wrong)
		}
		w.stop()
		nyc.road.heal()
		time.Sleep(time.Hour)
		w.start()
		time.Sleep(pauseMost + 200*ms)
		if _, known := nyc.serves(); !known {
			t.Error("home is back, and the name server does not know it")
		}
	})
}

func TestNameServerRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 50*ms, "nyc1")
		time.Sleep(5 * time.Second)
		if err := w.book.Present(t.Context(), token("a")); err != nil {
			t.Fatal(err)
		}
		w.servers["nyc1"].road.cut() // the old process
		again := w.join("nyc1", 50*ms)
		time.Sleep(300 * ms)
		if got, known := again.serves(); !known || !reflect.DeepEqual(got, token("a")) {
			t.Errorf("the new process serves %v, %v", got, known)
		}
	})
}

func TestWhoIsWaitedForFollowsTheMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0, "nyc1", "sin1", "syd1")
		synctest.Wait()
		w.servers["sin1"].road.cut()
		w.servers["syd1"].road.cut()
		start := time.Now()
		var present sync.WaitGroup
		var d time.Duration
		present.Go(func() {
			var err error
			if d, err = took(func() error { return w.book.Present(t.Context(), token("a")) }); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(3 * time.Second)
		m := w.m.Clone()
		m.Nodes[2].State, m.Nodes[3].State = landfall.Gone, landfall.Invited
		w.book.SetMap(m)
		present.Wait()
		if d != Silence+margin { // since all were told last, when this began; leaving does not shorten it
			t.Errorf("after %v", d)
		}
		if wrong := w.judge(token("a")); wrong != nil {
			t.Errorf("%v after the start: wrong: %v", time.Since(start), wrong)
		}
		// A newcomer has never been told anything: nothing to wait for.
		time.Sleep(time.Minute)
		m = m.Clone()
		m.Nodes = append(m.Nodes, landfall.Node{ID: "tyo1", Region: "fra", Roles: []landfall.Role{landfall.RoleDNS}})
		w.book.SetMap(m)
		if d, err := took(func() error { return w.book.Present(t.Context(), token("b")) }); err != nil || d != 0 {
			t.Errorf("with a newcomer: after %v: %v", d, err)
		}
	})
}

// A name server that was removed is asked for a while yet, by resolvers that
// have cached its name: no order may begin before it says that it does not
// know.
func TestWhoLeftIsWaitedForUntilItSaysThatItDoesNotKnow(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 20*ms, "nyc1", "sin1")
			time.Sleep(30 * time.Second)
			w.m = w.m.Clone()
			w.m.Nodes[2].State = landfall.Gone
			w.book.SetMap(w.m)
			if restart {
				w.stop()
				w.start()
				time.Sleep(time.Second)
			}
			sin := w.servers["sin1"]
			for i := range 3 {
				set := token(fmt.Sprint(i))
				d, err := took(func() error { return w.book.Present(t.Context(), set) })
				if err != nil || d > Silence+margin || i == 0 && d < Silence-hold-margin || i > 0 && d > time.Second {
					t.Errorf("restart %v: set %d: after %v: %v", restart, i, d, err)
				}
				if wrong := w.judge(set); wrong != nil {
					t.Errorf("restart %v: wrong: %v", restart, wrong)
				}
			}
			if _, known := sin.serves(); known || len(sin.unknown) != 1 {
				t.Errorf("restart %v: sin1 did not say that it does not know: %v", restart, sin.unknown)
			}
		})
	}
}

func TestPresentSaysWhyNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := NewBook(BookConfig{Caller: func(*http.Request) (landfall.NodeID, bool) { return "", false }})
		if err != nil {
			t.Fatal(err)
		}
		want := func(ctx context.Context, txt map[string][]string, words string) {
			t.Helper()
			err := b.Present(ctx, txt)
			if words == "" && err == nil || words != "" && err != nil && strings.Contains(err.Error(), words) {
				return
			}
			t.Errorf("%v, want %q", err, words)
		}
		want(t.Context(), token("a"), "no map yet")
		b.SetMap(&landfall.Map{})
		want(t.Context(), token("a"), `role "dns"`)
		want(t.Context(), nil, "")
		b.SetMap(&landfall.Map{Nodes: []landfall.Node{{ID: "nyc1", Roles: []landfall.Role{landfall.RoleDNS}}}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		want(ctx, token("a"), "waiting for the name servers [nyc1]")
		if err := b.Present(ctx, token("a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		want(t.Context(), token("a"), "no name server is in touch ([nyc1])")
		want(t.Context(), nil, "")
	})
}

func TestStrangersAreTurnedAway(t *testing.T) {
	caller := landfall.NodeID("fra1")
	b, err := NewBook(BookConfig{Caller: func(*http.Request) (landfall.NodeID, bool) { return caller, caller != "" }})
	if err != nil {
		t.Fatal(err)
	}
	b.SetMap(&landfall.Map{Nodes: []landfall.Node{
		{ID: "fra1", Roles: []landfall.Role{landfall.RoleEdge}},
		{ID: "nyc1", Roles: []landfall.Role{landfall.RoleDNS}},
		{ID: "sin1", Roles: []landfall.Role{landfall.RoleDNS}, State: landfall.Gone},
	}})
	for _, tt := range []struct {
		caller landfall.NodeID
		path   string
		want   int
	}{
		{"", "/challenges", 403},
		{"fra1", "/challenges", 403},
		{"sin1", "/challenges", 403},
		{"nyc1", "/other", 404},
		{"nyc1", "/challenges?have=x&epoch=e", 400},
		{"nyc1", "/challenges?have=1", 400},
		{"nyc1", "/challenges?epoch=e", 400},
		{"nyc1", "/challenges?have=1&epoch=another", 200},
		{"nyc1", "/challenges", 200},
	} {
		caller = tt.caller
		rec := httptest.NewRecorder()
		b.ServeHTTP(rec, httptest.NewRequest("GET", tt.path, nil))
		if rec.Code != tt.want {
			t.Errorf("%s asks %s: %d %s", tt.caller, tt.path, rec.Code, rec.Body)
		}
	}
}

// However roads are cut, slow or healed, and homes restarted: when Present
// returns nil, nobody serves another set.
func TestNobodyServesAnotherSet(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { storm(t, uint64(seed)) })
	}
}

func upTo(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(most)))
}

func storm(t *testing.T, seed uint64) {
	w := newWorld(t, 20*ms, "nyc1", "sin1", "syd1")
	rng := rand.New(rand.NewPCG(seed, 1))
	ctx, stop := context.WithCancel(t.Context())
	var weather sync.WaitGroup
	for _, s := range w.servers {
		rng := rand.New(rand.NewPCG(seed, uint64(s.id[0])))
		weather.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(upTo(rng, 15*time.Second))
				s.road.setDelay(time.Duration(rng.ExpFloat64() * float64(200*ms)))
				switch rng.IntN(3) {
				case 0:
					s.road.cut()
					time.Sleep(time.Duration(rng.ExpFloat64() * float64(8*time.Second)))
				case 1: // lets through what has become old on the way, and nothing else
					s.road.cut()
					time.Sleep(upTo(rng, 5*time.Second))
					s.road.heal()
					time.Sleep(upTo(rng, 300*ms))
					s.road.cut()
					time.Sleep(Silence + upTo(rng, 5*time.Second))
				}
				s.road.heal()
			}
		})
	}
	for i := range 60 {
		if rng.IntN(8) == 0 {
			w.stop()
			time.Sleep(time.Duration(rng.ExpFloat64() * float64(4*time.Second)))
			w.start()
		}
		set := token(fmt.Sprint(i))
		d, err := took(func() error { return w.book.Present(t.Context(), set) })
		if err == nil || strings.Contains(err.Error(), "no name server is in touch") {
			if wrong := w.judge(set); wrong != nil {
				t.Errorf("seed %d, set %d after %v: %v serve another", seed, i, d, wrong)
			}
		} else {
			t.Errorf("seed %d, set %d: %v", seed, i, err)
		}
		if d > Silence+margin {
			t.Errorf("seed %d, set %d took %v", seed, i, d)
		}
		time.Sleep(time.Duration(rng.ExpFloat64() * float64(3*time.Second)))
	}
	stop()
	weather.Wait()
}

func TestAnswersAreFreshFromWhenTheyWereGiven(t *testing.T) {
	asked := time.Unix(1000, 0)
	for _, tt := range []struct {
		held, elapsed, fresh time.Duration
	}{
		{0, 0, Silence},
		{4 * time.Second, 5 * time.Second, 4*time.Second + Silence},
		{0, 5 * time.Second, Silence},                         // slow on the way: nobody knows which
		{time.Hour, 5 * time.Second, 5*time.Second + Silence}, // cannot be
	} {
		a := answer{Held: tt.held.Microseconds()}
		if got := a.freshUntil(asked, asked.Add(tt.elapsed)).Sub(asked); got != tt.fresh {
			t.Errorf("held %v of %v: fresh for %v, want %v", tt.held, tt.elapsed, got, tt.fresh)
		}
	}
}

func FuzzQuestion(f *testing.F) {
	for _, q := range []string{"", "have=1&epoch=a", "have=0&epoch=a", "have=-1&epoch=a", "have=18446744073709551616&epoch=a", "epoch=a", "%"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		values, _ := url.ParseQuery(q)
		m, err := parseQuestion(values)
		if (m.version == 0) != (m == mark{}) {
			t.Fatalf("%q: %+v", q, m)
		}
		if err != nil {
			return
		}
		if again, err := parseQuestion(m.query()); err != nil || again != m {
			t.Fatalf("%+v is asked as %v and read as %+v: %v", m, m.query(), again, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, a := range []string{
		`{"epoch":"a","version":1,"held_us":5,"txt":{"_acme-challenge.landfall.test":["x"]}}`, `{"epoch":"a","version":1}`, `{}`, `[]`, ``,
		`{"epoch":"a","version":1,"held_us":-5}`, `{"epoch":"a","version":1,"held_us":9223372036854775807}`, `{"epoch":"a","version":-1}`,
	} {
		f.Add([]byte(a))
	}
	asked := time.Unix(1000, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAnswer(b)
		if err != nil {
			return
		}
		if a.mark() == (mark{}) {
			t.Fatalf("%q: no mark", b)
		}
		for _, elapsed := range []time.Duration{0, time.Second, hold + slack} {
			if d := a.freshUntil(asked, asked.Add(elapsed)).Sub(asked); d < Silence || d > elapsed+Silence {
				t.Fatalf("%q: fresh for %v after %v", b, d, elapsed)
			}
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseAnswer(again); err != nil || back.mark() != a.mark() {
			t.Fatalf("%q is written %q: %v", b, again, err)
		}
	})
}
