package prefix

import (
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
)

// len16 is how many /16s there are.
const len16 = 1 << 16

// TestOthersGetTheirTurn counts how often somebody else runs on the one
// processor there is while a large table is walked and made.
func TestOthersGetTheirTurn(t *testing.T) {
	var leaves []Leaf
	for i := range len16 {
		leaves = append(leaves, Leaf{netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 8), byte(i)}), 16), uint32(i % 2)})
	}
	table := Build(leaves)
	backwards := slices.Clone(leaves)
	slices.Reverse(backwards)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, c := range map[string]struct {
		work func()
		want uint64
	}{
		"walk": {func() {
			for range table.All() {
			}
		}, len16 / FewSteps},
		"relabel": {func() { table.Relabel(func(l uint32) uint32 { return l }) }, 2 * len16 / ManySteps},
		"cross":   {func() { Cross(table, table, func(x, _ uint32) uint32 { return x }) }, 2 * len16 / ManySteps},
		"build":   {func() { Build(backwards) }, 3 * len16 / ManySteps},
		"pace": {func() {
			var p Pace
			for range len16 {
				p.Rest(2)
			}
		}, 2 * len16 / FewSteps},
		"order": {func() { Ordered(table.All()) }, 2*len16/FewSteps + len16/ManySteps},
	} {
		t.Run(name, func(t *testing.T) {
			// Half will do: the collector takes turns, too.
			if got := turns(c.work); got < c.want/2 {
				t.Errorf("others ran %d times, want %d or so", got, c.want)
			}
		})
	}
}

// turns is how often another goroutine runs while f does, if it lets it.
func turns(f func()) uint64 {
	var n atomic.Uint64
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			n.Add(1)
			runtime.Gosched()
		}
	}()
	f()
	over.Store(true)
	got := n.Load()
	<-done
	return got
}
