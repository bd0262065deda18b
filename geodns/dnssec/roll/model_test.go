package roll

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The model: a zone with two name servers, of which each gets what was made
// whenever somebody pleases, a keeper that may sleep, a parent zone that reads
// CDS from either server whenever it pleases, and operators. At every moment
// any resolver may hold whatever was shown anywhere for as long as that could be
// kept; all of it has to fit together.

const tick = time.Hour

var modelPolicy = Policy{
	KeyTTL: 2 * tick, ZoneTTL: 3 * tick, ParentTTL: 2 * tick, ParentLag: tick, ZSKLife: 12 * tick, Ahead: 30 * tick, Propagation: 2 * tick,
}

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// choice is what happens in one tick.
type choice struct {
	a, b   bool // the name server gets what was made
	awake  bool // the keeper looks
	parent byte // 0: does nothing, 1: reads CDS from a, 2: from b
	op     byte // 0: nothing, 1: roll the ZSK, 2: roll the KSK, 3: unsign
	blind  bool // the keeper cannot ask the parent zone
}

// server is a name server: nil knows no keys, and serves the zone unsigned.
type server struct {
	state *State
	since int // the tick of what it has
}

func (s server) at(t time.Time) View {
	if s.state == nil {
		return View{}
	}
	return s.state.At(t)
}

type world struct {
	now    int
	state  State
	past   []State // by tick
	a, b   server
	ds     []ID // at the parent zone
	shown  [][2]View
	parent [][]ID
	log    []string
}

func newWorld(p Policy) *world {
	w := &world{state: Begin("example.test", p, epoch)}
	w.decide(Facts{})
	w.past = []State{w.state}
	return w
}

func (w *world) time() time.Time { return epoch.Add(time.Duration(w.now) * tick) }

func (w *world) decide(f Facts) {
	next, steps, _ := w.state.Next(w.time(), f)
	w.state = next
	for _, s := range steps {
		w.log = append(w.log, fmt.Sprintf("%d: %s %d at %d", w.now, s.What, s.Key, int(s.At.Sub(epoch)/tick)))
	}
}

// carry gives a server what was made, or, where it is agreed how long that may
// take, what was made that long ago.
func (w *world) carry(s *server, gets bool) {
	from := w.now
	if !gets {
		from -= int(w.state.Policy.Propagation / tick)
	}
	if (gets || w.state.Policy.Carried) && from >= 0 && (s.state == nil || from > s.since) {
		s.state, s.since = &w.past[from], from
	}
}

func (w *world) step(c choice) error {
	w.now++
	now := w.time()
	w.operate(c.op)
	if c.awake {
		w.decide(w.facts(c.blind))
	}
	w.past = append(w.past, w.state)
	w.carry(&w.a, c.a)
	w.carry(&w.b, c.b)
	w.delegate(c.parent)
	w.shown = append(w.shown, [2]View{w.a.at(now), w.b.at(now)})
	w.parent = append(w.parent, w.ds)
	return w.check()
}

func (w *world) operate(op byte) {
	now := w.time()
	before := w.state
	switch op {
	case 1:
		w.state, _ = w.state.Roll(ZSK, now)
	case 2:
		w.state, _ = w.state.Roll(KSK, now)
	case 3:
		w.state, _ = w.state.Unsign(now)
	}
	if !before.Equal(w.state) {
		w.log = append(w.log, fmt.Sprintf("%d: operator %d", w.now, op))
	}
	if op != 0 && w.state.Policy.Carried {
		w.decide(Facts{})
	}
}

func (w *world) facts(blind bool) Facts {
	v := w.state.At(w.time())
	f := Facts{Current: w.a.at(w.time()).Equal(v) && w.b.at(w.time()).Equal(v)}
	if !blind {
		f.Parent = Parent{Known: true, All: w.ds, None: len(w.ds) == 0, TTL: w.state.Policy.ParentTTL}
	}
	return f
}

func (w *world) delegate(from byte) {
	var v View
	switch from {
	case 1:
		v = w.a.at(w.time())
	case 2:
		v = w.b.at(w.time())
	}
	before := w.ds
	switch {
	case v.Delete:
		w.ds = nil
	case v.Asked != 0:
		w.ds = []ID{v.Asked}
	}
	if !slices.Equal(before, w.ds) {
		w.log = append(w.log, fmt.Sprintf("%d: DS %v", w.now, w.ds))
	}
}

// check holds every DS set, DNSKEY set and signature that a resolver may have
// now against each other.
func (w *world) check() error {
	p := w.state.Policy
	ticks := func(d time.Duration) int { return max(0, len(w.shown)-1-int(d/tick)) }
	for i := ticks(p.ParentTTL + p.ParentLag); i < len(w.parent); i++ {
		ds := w.parent[i]
		if len(ds) == 0 {
			continue // insecure, whatever the zone shows
		}
		for j := ticks(p.KeyTTL); j < len(w.shown); j++ {
			for k := ticks(p.ZoneTTL); k < len(w.shown); k++ {
				for n := range 4 {
					keys, data := w.shown[j][n/2], w.shown[k][n%2]
					if !valid(ds, keys, data) {
						return fmt.Errorf("tick %d: bogus: DS %v of %d, DNSKEY %v of %d at server %d, signature by %d of %d at server %d", w.now, ds, i+1, keys, j+1, n/2, data.Signing, k+1, n%2)
					}
				}
			}
		}
	}
	return nil
}

func valid(ds []ID, keys, data View) bool {
	trusted := slices.ContainsFunc(ds, func(id ID) bool { return slices.Contains(keys.Shown, id) })
	return keys.Signed && data.Signed && trusted && slices.Contains(keys.Shown, data.Signing)
}

// TestAnyCacheFindsAChain walks through the model at random, many times, until
// everything has happened in every order.
func TestAnyCacheFindsAChain(t *testing.T) {
	walks := 1500
	switch {
	case testing.Short():
		walks = 200
	case os.Getenv("LANDFALL_SOAK") != "":
		walks = 100_000
	}
	for _, carried := range []bool{false, true} {
		t.Run(fmt.Sprintf("carried=%t", carried), func(t *testing.T) {
			rolled, ended := 0, 0
			for seed := range walks {
				w := walk(t, uint64(seed), carried)
				if w.state.Last > 4 {
					rolled++
				}
				if !w.state.End.IsZero() {
					ended++
				}
			}
			if rolled < walks/4 || ended < walks/50 {
				t.Errorf("only %d walks came to rolls, and %d to an end: the model is too lame to show anything", rolled, ended)
			}
		})
	}
}

func walk(t *testing.T, seed uint64, carried bool) *world {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	p := modelPolicy
	p.Carried = carried
	w := newWorld(p)
	lame := 1 + r.IntN(10) // how likely each does what it should
	often := func() bool { return r.IntN(10) < lame }
	for range 60 {
		c := choice{a: often(), b: often(), awake: often(), parent: byte(r.IntN(5)), blind: !often()}
		if n := r.IntN(40); n < 4 && (n < 3 || r.IntN(4) == 0) {
			c.op = byte(n)
		}
		if err := w.step(c); err != nil {
			t.Fatalf("walk %d: %v\n%s\n%v", seed, err, strings.Join(w.log, "\n"), w.state)
		}
	}
	return w
}
