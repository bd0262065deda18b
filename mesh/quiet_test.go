package mesh_test

import (
	"net/netip"
	"testing"
	"time"

	"landfall"
)

// wireBytes is what a datagram weighs with its headers of UDP and IPv4.
func wireBytes(b []byte) int { return len(b) + 28 }

// TestIdlePairsAreQuiet counts the bytes of ten minutes without data.
func TestIdlePairsAreQuiet(t *testing.T) {
	inPond(t, trio, func(p *pond) {
		detour(p, 75*ms)
		p.start(nil)
		time.Sleep(time.Minute)
		sent := map[leg]int{}
		p.wire.Tap(func(from, to netip.AddrPort, b []byte) {
			p.mu.Lock()
			defer p.mu.Unlock()
			sent[leg{p.who[from], p.who[to]}] += wireBytes(b)
		})
		time.Sleep(10 * time.Minute)
		p.wire.Tap(nil)
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, pair := range [][2]landfall.NodeID{{"a", "b"}, {"a", "c"}, {"b", "c"}} {
			a, b := pair[0], pair[1]
			each := (sent[leg{a, b}] + sent[leg{b, a}]) / 10
			t.Logf("%s and %s: %d bytes a minute", a, b, each)
			if each > 2000 {
				t.Errorf("%s and %s: %d bytes a minute", a, b, each)
			}
		}
		if !p.to("a", "b").Alive {
			t.Error("forgotten meanwhile")
		}
	})
}

// TestActivePairsProbeWithinBounds counts the bytes of probes beside data.
func TestActivePairsProbeWithinBounds(t *testing.T) {
	inPond(t, trio, func(p *pond) {
		detour(p, 75*ms)
		p.start(nil)
		time.Sleep(2 * time.Second)
		go p.flow("b", "a", landfall.Normal, 100, 20*ms, 40*time.Second)
		go p.flow("a", "b", landfall.Normal, 100, 20*ms, 40*time.Second)
		time.Sleep(10 * time.Second)
		probes := 0
		p.wire.Tap(func(from, to netip.AddrPort, b []byte) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if b[0] == 'L' && p.who[from] != "c" && p.who[to] != "c" {
				probes += wireBytes(b)
			}
		})
		time.Sleep(20 * time.Second)
		p.wire.Tap(nil)
		p.mu.Lock()
		t.Logf("%d bytes a second", probes/20)
		if probes/20 > 1000 {
			t.Errorf("%d bytes of probes a second", probes/20)
		}
		p.mu.Unlock()
		time.Sleep(12 * time.Second)
	})
}

// TestPeerWhoseHandshakesAreRefusedComesBack: WireGuard takes no initiation
// that is older than the last it heard, such as after a clock was set back.
// Losing them all for a while looks the same from here.
func TestPeerWhoseHandshakesAreRefusedComesBack(t *testing.T) {
	inPond(t, []landfall.NodeID{"a", "b"}, func(p *pond) {
		noHandshakes := water{delay: 20 * ms, eats: func(b []byte) bool { return b[0] == 1 || b[0] == 2 }}
		p.lay("a", "b", noHandshakes)
		p.start(nil)
		time.Sleep(10 * time.Second)
		renewed := p.up["a"].Stats().Renewed + p.up["b"].Stats().Renewed
		if renewed == 0 || renewed > 6 {
			t.Errorf("made known anew %d times in ten seconds", renewed)
		}
		p.lay("a", "b", water{delay: 20 * ms})
		seq := 0
		took := p.until(2*time.Second, "a packet", func() bool {
			seq++
			p.post("a", "b", landfall.Normal, seq, 50)
			return len(p.up["b"].arrived()) > 0
		})
		t.Logf("back after %v", took)
	})
}

// TestSilenceLeavesTheProbersAsleep lets an hour pass between two nodes.
func TestSilenceLeavesTheProbersAsleep(t *testing.T) {
	inPond(t, []landfall.NodeID{"a", "b"}, func(p *pond) {
		p.lay("a", "b", water{delay: 20 * ms})
		p.start(nil)
		time.Sleep(time.Minute)
		before := p.up["a"].Stats().ProbesSent
		time.Sleep(time.Hour)
		if sent := p.up["a"].Stats().ProbesSent - before; sent > 400 {
			t.Errorf("%d probes in an hour", sent)
		}
		got := p.flow("a", "b", landfall.Interactive, 100, 20*ms, time.Second)
		if _, lost := outage(got, 50, 20*ms); lost > 0 || slowest(got) > 30*ms {
			t.Errorf("after an hour %d of 50 are lost, the slowest took %v", lost, slowest(got))
		}
	})
}
