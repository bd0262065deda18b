package trial

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	wire "landfall/mesh/probe"
	"landfall/mesh/relay"
	"landfall/mesh/wan"
)

// quietMost is how many bytes a minute an idle pair may send: all datagrams
// and their headers, in both directions, relayed ones on each hop.
const quietMost = 2000

// TestIdle counts what a full mesh sends with nothing to say, by what it is.
func TestIdle(t *testing.T) {
	const minutes = 5
	for name, delay := range map[string]func(*world){
		"one machine":    func(w *world) { w.all(50 * time.Microsecond) },
		"a busy machine": func(w *world) { w.shaky() },
		"a plane": func(w *world) {
			w.layAll(randomChart(rand.New(rand.NewPCG(1, 1)), w.ids), func(l wan.Link) wan.Link { return l })
		},
	} {
		inWorld(t, 1, names(12), func(w *world) {
			delay(w)
			w.start()
			time.Sleep(30 * time.Second)
			l := ledger{kinds: map[string]int{}}
			w.memory.Tap(l.add)
			time.Sleep(minutes * time.Minute)
			w.memory.Tap(nil)
			pairs := len(w.ids) * (len(w.ids) - 1) / 2
			each := l.each(minutes * pairs)
			t.Logf("%s: %d bytes a minute and pair: %v", name, each[""], each)
			if each[""] > quietMost {
				t.Errorf("%s: an idle pair sends %d bytes a minute", name, each[""])
			}
		})
	}
}

// all has all links alike.
func (w *world) all(d time.Duration) {
	for i, a := range w.ids {
		for _, b := range w.ids[:i] {
			w.lay(a, b, wan.Link{Delay: d})
		}
	}
}

// ledger counts bytes by what they are; "" is all.
type ledger struct {
	mu    sync.Mutex
	kinds map[string]int
}

func (l *ledger) add(r wan.Record) {
	b, on := r.Bytes, ""
	if _, err := relay.Peek(b); err == nil {
		b, on = b[relay.Overhead:], " relayed"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds[""] += len(r.Bytes) + headers
	kind := fmt.Sprintf("%d%s", b[0], on)
	if wire.Is(b) {
		kind = map[byte]string{1: "ping", 2: "pong"}[b[2]] + on
		if more := len(b) - wire.MinSize; more > 0 {
			l.kinds["more of a "+kind] += more
			l.kinds[kind] -= more
		}
	}
	l.kinds[kind] += len(r.Bytes) + headers
}

// each divides what was counted.
func (l *ledger) each(of int) map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range slices.Collect(maps.Keys(l.kinds)) {
		l.kinds[k] /= of
	}
	return l.kinds
}

// shaky has links of a machine that has more to do than it can.
func (w *world) shaky() {
	for i, a := range w.ids {
		for _, b := range w.ids[:i] {
			w.lay(a, b, wan.Link{Delay: 50 * time.Microsecond, Jitter: 40 * ms})
		}
	}
}
