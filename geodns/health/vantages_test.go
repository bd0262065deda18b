package health

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// fleet is a network whose every node is an edge and a name server, each with
// a prober of its own.
type fleet struct {
	ids     []landfall.NodeID
	site    *site
	hidden  landfall.NodeID // no other node reaches it
	blocked landfall.NodeID // it reaches no other node, but hears their votes
	liar    landfall.NodeID // it says of all others that they are down, or with praise that they are up
	praise  bool
	dead    []landfall.NodeID       // they neither serve nor vote
	side    map[landfall.NodeID]int // of a cut: neither probes nor votes come across
	down    map[landfall.NodeID]Down
	probers map[landfall.NodeID]*Prober
}

// fleetOf runs n of them in a bubble.
func fleetOf(t *testing.T, n int, test func(t *testing.T, f *fleet)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{
			ids:  []landfall.NodeID{"fra1", "nyc1", "sin1", "ams1", "lax1"}[:n],
			site: newSite(),
			down: map[landfall.NodeID]Down{}, probers: map[landfall.NodeID]*Prober{},
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, n)
		for _, self := range f.ids {
			p, err := New(Config{Self: self, Probe: f.probe(self), Changed: func(d Down) { f.site.told(f.down, self, d) }})
			if err != nil {
				t.Fatal(err)
			}
			p.SetMap(servers(f.ids...))
			f.probers[self] = p
			go func() { ended <- p.Run(ctx) }()
		}
		f.live(5 * time.Second)
		test(t, f)
		stop()
		for range n {
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	})
}

func (s *site) told(where map[landfall.NodeID]Down, self landfall.NodeID, d Down) {
	s.mu.Lock()
	defer s.mu.Unlock()
	where[self] = d
}

func (f *fleet) probe(from landfall.NodeID) func(context.Context, landfall.Node) error {
	return func(ctx context.Context, n landfall.Node) error {
		f.site.mu.Lock()
		hidden := f.hidden == n.ID && from != n.ID
		cut := f.side[from] != f.side[n.ID] || f.blocked == from && from != n.ID
		f.site.mu.Unlock()
		switch {
		case hidden:
			return errors.New("connection refused")
		case cut:
			<-ctx.Done()
			return ctx.Err()
		}
		return f.site.probe(ctx, n)
	}
}

// votes are what a node tells the others; nil: it is dead.
func (f *fleet) votes(from landfall.NodeID) Votes {
	v := f.probers[from].Votes()
	switch {
	case slices.Contains(f.dead, from):
		return nil
	case from == f.liar:
		for _, id := range f.ids {
			if v[id] = Bad; id == from || f.praise {
				v[id] = Good
			}
		}
	}
	return v
}

// live lets time pass while votes are exchanged every second.
func (f *fleet) live(d time.Duration) {
	for range d / time.Second {
		for _, from := range f.ids {
			for _, to := range f.ids {
				if v := f.votes(from); v != nil && to != from && !slices.Contains(f.dead, to) && f.side[from] == f.side[to] {
					f.probers[to].Hear(from, v)
				}
			}
		}
		time.Sleep(time.Second)
	}
}

// names are the nodes that the honest ones hold for down, such as
// "nyc1:fra1"; a node whose verdict is empty is left out.
func (f *fleet) names() string {
	f.site.mu.Lock()
	defer f.site.mu.Unlock()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(f.down)) {
		if id == f.liar || slices.Contains(f.dead, id) {
			continue
		}
		for _, down := range slices.Sorted(maps.Keys(f.down[id])) {
			out = append(out, fmt.Sprintf("%s:%s", id, down))
		}
	}
	return strings.Join(out, " ")
}

func TestLiarAloneTakesNobodyDown(t *testing.T) {
	for n := 2; n <= 5; n++ {
		fleetOf(t, n, func(t *testing.T, f *fleet) {
			f.liar = "nyc1"
			for range 30 {
				f.live(2 * time.Second)
				if got := f.names(); got != "" {
					t.Fatalf("%d name servers: down are %s", n, got)
				}
			}
		})
	}
}

// want is what names tells if every living node holds those for down that are
// not on its side.
func (f *fleet) want() string {
	var out []string
	for _, id := range slices.Sorted(slices.Values(f.ids)) {
		if slices.Contains(f.dead, id) {
			continue
		}
		for _, other := range slices.Sorted(slices.Values(f.ids)) {
			if slices.Contains(f.dead, other) || f.side[id] != f.side[other] {
				out = append(out, fmt.Sprintf("%s:%s", id, other))
			}
		}
	}
	return strings.Join(out, " ")
}

// some are those of the fleet whose bit is set.
func (f *fleet) some(bits int) (out []landfall.NodeID) {
	for i, id := range f.ids {
		if bits>>i&1 == 1 {
			out = append(out, id)
		}
	}
	return out
}

// Any of the edges die, all at once or one after the other, and any but one:
// those that live name no dead one any more, unless only one of several is
// left. That one sees nobody, and changes nothing.
func TestEdgesThatDieAreDownWithinFiveSeconds(t *testing.T) {
	for n := 2; n <= 5; n++ {
		for bits := range groups(n) {
			for _, way := range []string{"refusing", "silent"} {
				fleetOf(t, n, func(t *testing.T, f *fleet) { f.die(t, f.some(bits), way) })
			}
		}
	}
}

func (f *fleet) die(t *testing.T, who []landfall.NodeID, way string) {
	t.Helper()
	n := len(f.ids)
	lost := map[string]*map[landfall.NodeID]bool{"refusing": &f.site.refusing, "silent": &f.site.silent}[way]
	f.dead = who
	f.site.set(lost, f.dead...)
	f.live(5 * time.Second)
	// Of those beside a dead one, more than half have to live.
	want := ""
	if left := n - len(who); n == 2 || 2*left > n-1 && left > 1 {
		want = f.want()
	}
	if got := f.names(); got != want {
		t.Errorf("%d name servers, %s %v: down are %q, want %q", n, way, who, got, want)
	}
	f.site.set(lost)
	f.dead = nil
	f.live(10 * time.Second)
	if got := f.names(); got != "" {
		t.Errorf("%d name servers, %v are back: down are %q", n, who, got)
	}
	for _, id := range who {
		f.dead = append(f.dead, id)
		f.site.set(lost, f.dead...)
		if left := n - len(f.dead); n == 2 || left > 1 {
			want = f.want()
		} else {
			want = strings.Join(slices.DeleteFunc(strings.Fields(f.want()), func(s string) bool { return strings.HasSuffix(s, ":"+string(id)) }), " ")
		}
		f.live(5 * time.Second)
		if got := f.names(); got != want {
			t.Errorf("%d name servers, %s %v: down are %q, want %q", n, way, f.dead, got, want)
		}
	}
}

// A cut in the middle makes two networks: each names its own, unless one is a
// single server of several, or the few of many. They change nothing.
func TestEachSideOfACutNamesItsOwn(t *testing.T) {
	for n := 2; n <= 5; n++ {
		for bits := range groups(n) {
			fleetOf(t, n, func(t *testing.T, f *fleet) {
				f.cut(f.some(bits)...)
				want := strings.Join(slices.DeleteFunc(strings.Fields(f.want()), func(s string) bool {
					from, _, _ := strings.Cut(s, ":")
					mine := 0
					for _, id := range f.ids {
						if f.side[id] == f.side[landfall.NodeID(from)] {
							mine++
						}
					}
					return n > 2 && (mine == 1 || 2*mine <= n-1)
				}), " ")
				for range 10 {
					f.live(5 * time.Second)
					if got := f.names(); got != want {
						t.Errorf("%d name servers, %v cut off: down are %q, want %q", n, f.some(bits), got, want)
					}
				}
				f.cut()
				f.live(5 * time.Second)
				if got := f.names(); got != "" {
					t.Errorf("%d name servers, %v no longer cut off: down are %q", n, f.some(bits), got)
				}
			})
		}
	}
}

// groups are all that n make, but none and all; of five, one of each size.
func groups(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for bits := 1; bits < 1<<n-1; bits++ {
			if (n < 5 || bits&(bits+1) == 0) && !yield(bits) {
				return
			}
		}
	}
}

// cut puts those named on a side of their own.
func (f *fleet) cut(ids ...landfall.NodeID) {
	f.site.mu.Lock()
	defer f.site.mu.Unlock()
	f.side = map[landfall.NodeID]int{}
	for _, id := range ids {
		f.side[id] = 1
	}
}

// Whoever sees nobody, and is told by all others that they see each other, goes
// by their word.
func TestWhoOnlyCannotReachOthersBelievesThem(t *testing.T) {
	fleetOf(t, 3, func(t *testing.T, f *fleet) {
		f.site.mu.Lock()
		f.blocked = "fra1"
		f.site.mu.Unlock()
		for range 20 {
			f.live(2 * time.Second)
			if got := f.names(); got != "" {
				t.Fatalf("down are %q", got)
			}
		}
	})
}

// With three name servers, of which one is dead and one lies, there is no
// majority of those who do not.
func TestLiarDoesNotKeepADeadEdgeUp(t *testing.T) {
	for n, want := range map[int]string{3: "", 4: "ams1:fra1 nyc1:fra1", 5: "ams1:fra1 lax1:fra1 nyc1:fra1"} {
		fleetOf(t, n, func(t *testing.T, f *fleet) {
			f.dead, f.liar, f.praise = []landfall.NodeID{"fra1"}, "sin1", true
			f.site.set(&f.site.refusing, "fra1")
			f.live(5 * time.Second)
			if got := f.names(); got != want {
				t.Errorf("%d name servers: down are %q, want %q", n, got, want)
			}
		})
	}
}

// Of two, nobody can tell whether the accuser lies: see Tally.
func TestEdgeThatOthersDoNotReachIsDown(t *testing.T) {
	for n, want := range map[int]string{2: "nyc1:fra1", 3: "fra1:fra1 nyc1:fra1 sin1:fra1", 4: "ams1:fra1 fra1:fra1 nyc1:fra1 sin1:fra1"} {
		fleetOf(t, n, func(t *testing.T, f *fleet) {
			f.site.mu.Lock()
			f.hidden = "fra1"
			f.site.mu.Unlock()
			f.live(5 * time.Second)
			if got := f.names(); got != want {
				t.Errorf("%d name servers: down are %q, want %q", n, got, want)
			}
		})
	}
}
