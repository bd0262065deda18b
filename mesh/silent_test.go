package mesh

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// bare is a stream of which only the ends are known.
type bare struct {
	front.Stream
	local, remote netip.AddrPort
	mu            sync.Mutex
	sink          landfall.Sink
	why           error
}

func (b *bare) Local() netip.AddrPort  { return b.local }
func (b *bare) Remote() netip.AddrPort { return b.remote }
func (b *bare) Start(s landfall.Sink) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sink = s
}

func (b *bare) Abort(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.why = why
}

func (b *bare) aborted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why != nil
}

// gate is a guard of "a", whose peer is "b", and what it has let in.
func gate(t *testing.T) (g *guard, open func(id landfall.NodeID, port uint16) *bare, in *[]front.Stream) {
	t.Helper()
	b := landfall.MeshAddr("test", "b")
	m := &Mesh{addr: landfall.MeshAddr("test", "a"), peers: map[landfall.NodeID]*peer{}}
	m.names.Store(&map[netip.Addr]landfall.NodeID{b: "b"})
	m.peers["b"] = &peer{}
	var err error
	if m.peers["b"].passes, err = newPasses([32]byte{1}, landfall.NewPrivateKey().Public(), landfall.NewPrivateKey().Public()); err != nil {
		t.Fatal(err)
	}
	in = new([]front.Stream)
	g = m.newGuard(func(s front.Stream) { *in = append(*in, s) })
	return g, func(id landfall.NodeID, port uint16) *bare {
		s := &bare{local: netip.AddrPortFrom(m.addr, firstPort), remote: netip.AddrPortFrom(landfall.MeshAddr("test", id), port)}
		g.accept(s)
		return s
	}, in
}

// TestTheSilentKeepNobodyOut: neither a peer's nor a program's silent streams,
// however many, and they are not kept.
func TestTheSilentKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, open, in := gate(t)
		var silent []*bare
		for i := range 5000 {
			silent = append(silent, open("c", uint16(i)))
		}
		if n := len(slices.DeleteFunc(slices.Clone(silent), (*bare).aborted)); n != maxSilent || silent[len(silent)-1].aborted() {
			t.Errorf("%d of the silent wait, want the last %d", n, maxSilent)
		}
		s := open("b", 7)
		s.sink.Data(g.mesh.peers["b"].theirs.pass(s.remote, s.local))
		if len(*in) != 1 || s.aborted() {
			t.Errorf("%d streams were let in", len(*in))
		}
		time.Sleep(passTime)
		synctest.Wait()
		if slices.ContainsFunc(silent, func(s *bare) bool { return !s.aborted() }) || s.aborted() || len(g.silent) != 0 {
			t.Error("after the time for a pass others are there than those that have shown it")
		}
		if n := g.refused.Load(); n != 5000 {
			t.Errorf("%d refused", n)
		}
	})
}

// TestAPassIsForOneStream: seen by somebody else it opens no other.
func TestAPassIsForOneStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, open, in := gate(t)
		seen := open("b", 7)
		key := g.mesh.peers["b"].theirs
		pass := key.pass(seen.remote, seen.local)
		otherService := netip.AddrPortFrom(seen.local.Addr(), firstPort+1)
		for what, shown := range map[string][]byte{
			"another port":       key.pass(netip.AddrPortFrom(seen.remote.Addr(), 8), seen.local),
			"another service":    key.pass(seen.remote, otherService),
			"the other way":      key.pass(seen.local, seen.remote),
			"the other's key":    g.mesh.peers["b"].ours.pass(seen.remote, seen.local),
			"a pass with a flaw": append(slices.Clone(pass[:15]), pass[15]^1),
		} {
			s := open("b", 7)
			s.sink.Data(shown)
			if !s.aborted() || len(*in) != 0 {
				t.Errorf("%s: let in", what)
			}
		}
		for _, b := range pass { // in pieces
			seen.sink.Data([]byte{b})
		}
		if len(*in) != 1 {
			t.Error("its own was refused")
		}
	})
}
