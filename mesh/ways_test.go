package mesh_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"landfall"
	"landfall/mesh"
	"landfall/mesh/path"
	"landfall/mesh/relay"
)

const ms = time.Millisecond

var trio = []landfall.NodeID{"a", "b", "c"}

// detour is a direct way of 75 ms and one by c of 40 ms and 40 ms, one way.
func detour(p *pond, direct time.Duration) {
	p.lay("a", "b", water{delay: direct})
	p.lay("a", "c", water{delay: 40 * ms})
	p.lay("c", "b", water{delay: 40 * ms})
}

func TestRelayIsFoundWhereTheDirectWayIsSlow(t *testing.T) {
	inPond(t, trio, func(p *pond) {
		detour(p, 150*ms)
		p.start(nil)
		took := p.until(2*time.Second, "a relay", func() bool {
			return p.to("a", "b").Way.Via == "c" && p.to("b", "a").Way.Via == "c"
		})
		t.Logf("found after %v", took)
		got := p.flow("a", "b", landfall.Interactive, 100, 20*ms, 2*time.Second)
		if longest, lost := outage(got, 100, 20*ms); lost > 0 || slowest(got) > 90*ms {
			t.Errorf("%d lost, for %v; the slowest took %v", lost, longest, slowest(got))
		}
		if why := p.to("a", "b").Why; why == "" {
			t.Error("status does not say why")
		}
	})
}

// TestCutUnderTraffic cuts the direct way at random moments.
func TestCutUnderTraffic(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	r := rand.New(rand.NewPCG(6, 1))
	for range rounds {
		before := time.Duration(r.IntN(1000)) * ms
		inPond(t, trio, func(p *pond) {
			detour(p, 75*ms)
			p.start(nil)
			time.Sleep(3 * time.Second)
			if via := p.to("a", "b").Way.Via; via != "" {
				t.Fatalf("by way of %s", via)
			}
			go func() {
				time.Sleep(2*time.Second + before)
				p.lay("a", "b", water{cut: true})
			}()
			const every = 5 * ms
			go p.flow("b", "a", landfall.Interactive, 100, every, 5*time.Second) // answers
			got := p.flow("a", "b", landfall.Interactive, 100, every, 5*time.Second)
			longest, lost := outage(got, int(5*time.Second/every), every)
			t.Logf("cut after %v: %d lost, for %v; the slowest took %v", before, lost, longest, slowest(got))
			if longest > 300*ms {
				t.Errorf("nothing arrived for %v", longest)
			}
			if via := p.to("a", "b").Way.Via; via != "c" {
				t.Errorf("by way of %q after the cut", via)
			}
		})
	}
}

// TestOneSidedCut loses what goes one way only.
func TestOneSidedCut(t *testing.T) {
	inPond(t, trio, func(p *pond) {
		detour(p, 75*ms)
		p.start(nil)
		time.Sleep(3 * time.Second)
		go func() {
			time.Sleep(2 * time.Second)
			p.one("a", "b", water{cut: true})
		}()
		go p.flow("b", "a", landfall.Interactive, 100, 5*ms, 6*time.Second)
		got := p.flow("a", "b", landfall.Interactive, 100, 5*ms, 6*time.Second)
		longest, lost := outage(got, 1200, 5*ms)
		t.Logf("%d lost, for %v", lost, longest)
		if longest > 300*ms {
			t.Errorf("nothing arrived for %v", longest)
		}
	})
}

// TestRelayThatForwardsNothingIsNotUsed: it is only proposed by what it says.
func TestRelayThatForwardsNothingIsNotUsed(t *testing.T) {
	inPond(t, trio, func(p *pond) {
		detour(p, 150*ms)
		p.start(func(c *mesh.Config) { c.NoRelay = c.Self == "c" })
		for range 100 {
			time.Sleep(100 * ms)
			if via := p.to("a", "b").Way.Via; via != "" {
				t.Fatal("used")
			}
		}
		got := p.flow("a", "b", landfall.Normal, 100, 20*ms, 2*time.Second)
		if _, lost := outage(got, 100, 20*ms); lost > 0 {
			t.Errorf("%d lost", lost)
		}
	})
}

// TestRelayThatForwardsProbesAloneIsLeft: what matters is what arrives.
func TestRelayThatForwardsProbesAloneIsLeft(t *testing.T) {
	inPond(t, trio, func(p *pond) {
		detour(p, 150*ms)
		false_ := water{delay: 40 * ms, eats: func(b []byte) bool {
			return len(b) > relay.Overhead && relay.Is(b) && b[relay.Overhead] != 'L'
		}}
		p.lay("c", "b", false_)
		p.lay("c", "a", false_)
		p.one("a", "c", water{delay: 40 * ms})
		p.one("b", "c", water{delay: 40 * ms})
		p.start(nil)
		time.Sleep(3 * time.Second)
		go p.flow("b", "a", landfall.Interactive, 100, 20*ms, 10*time.Second)
		got := p.flow("a", "b", landfall.Interactive, 100, 20*ms, 10*time.Second)
		longest, lost := outage(got, 500, 20*ms)
		t.Logf("%d lost, for %v", lost, longest)
		if longest > 3*time.Second {
			t.Errorf("nothing arrived for %v", longest)
		}
		now := p.to("a", "b")
		if now.Way.Via != "" {
			t.Errorf("still used: %+v", now)
		}
		told := false
		for _, w := range now.Ways {
			told = told || w.Way == path.Way{Via: "c"} && w.Life == path.Mute
		}
		if !told {
			t.Errorf("status does not tell: %+v", now.Ways)
		}
	})
}

// TestAddressChangesInTheMiddle is a NAT that forgets, under traffic.
func TestAddressChangesInTheMiddle(t *testing.T) {
	inPond(t, []landfall.NodeID{"a", "b"}, func(p *pond) {
		p.lay("a", "b", water{delay: 40 * ms})
		p.start(nil)
		time.Sleep(2 * time.Second)
		go func() {
			time.Sleep(2 * time.Second)
			elsewhere := netip.MustParseAddrPort("198.51.100.7:4242")
			if err := p.wire.Move(p.at["b"], elsewhere); err != nil {
				t.Error(err)
			}
			p.mu.Lock()
			p.who[elsewhere] = "b"
			p.mu.Unlock()
		}()
		go p.flow("b", "a", landfall.Interactive, 100, 10*ms, 6*time.Second)
		got := p.flow("a", "b", landfall.Interactive, 100, 10*ms, 6*time.Second)
		longest, lost := outage(got, 600, 10*ms)
		t.Logf("%d lost, for %v", lost, longest)
		if longest > time.Second {
			t.Errorf("nothing arrived for %v", longest)
		}
	})
}

// TestBothRestartedAtOnce measures until the first packet is through.
func TestBothRestartedAtOnce(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 6
	}
	var worst time.Duration
	inPond(t, []landfall.NodeID{"a", "b"}, func(p *pond) {
		p.lay("a", "b", water{delay: 75 * ms})
		p.start(nil)
		time.Sleep(2 * time.Second)
		for i := range rounds {
			from, to := landfall.NodeID("a"), landfall.NodeID("b")
			if i%2 == 1 {
				from, to = to, from
			}
			p.restart("a", "b")
			start := time.Now()
			for seq := 0; len(p.up[to].arrived()) == 0; seq++ {
				p.post(from, to, landfall.Normal, seq, 100)
				time.Sleep(5 * ms)
				if time.Since(start) > 5*time.Second {
					t.Fatalf("round %d: nothing arrives", i)
				}
			}
			worst = max(worst, time.Since(start))
			time.Sleep(time.Second)
		}
	})
	t.Logf("%v at most", worst)
	if worst > 600*ms {
		t.Errorf("the first packet took %v", worst)
	}
}

// TestPathMTUShrinksUnderWay sends large packets over a path that becomes
// narrower, without a word.
func TestPathMTUShrinksUnderWay(t *testing.T) {
	for _, mtu := range []int{1400, 1280, 1124, 1000} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			inPond(t, []landfall.NodeID{"a", "b"}, func(p *pond) {
				p.lay("a", "b", water{delay: 25 * ms, mtu: 1500 - 28})
				p.start(nil)
				time.Sleep(2 * time.Second)
				go func() {
					time.Sleep(2 * time.Second)
					p.lay("a", "b", water{delay: 25 * ms, mtu: mtu - 28})
				}()
				go p.flow("b", "a", landfall.Normal, 60, 10*ms, 5*time.Second)
				got := p.flow("a", "b", landfall.Normal, 1300, 10*ms, 5*time.Second)
				longest, lost := outage(got, 500, 10*ms)
				t.Logf("%d lost, for %v; %d bytes now", lost, longest, p.to("a", "b").MTU)
				if longest > 1500*ms { // a probe a second tells it
					t.Errorf("nothing arrived for %v", longest)
				}
				if now := p.to("a", "b").MTU; now > mtu-28 {
					t.Errorf("believes in %d bytes where %d pass", now, mtu-28)
				}
			})
		})
	}
}

// TestNarrowFromTheStart: every packet arrives over every path.
func TestNarrowFromTheStart(t *testing.T) {
	for _, mtu := range []int{1500, 1400, 1280, 1124, 1000} {
		inPond(t, []landfall.NodeID{"a", "b"}, func(p *pond) {
			p.lay("a", "b", water{delay: 25 * ms, mtu: mtu - 28})
			p.start(nil)
			time.Sleep(2 * time.Second)
			p.flow("a", "b", landfall.Normal, 1300, 10*ms, time.Second) // it is found out with this
			got := p.flow("a", "b", landfall.Normal, 1300, 2*ms, 2*time.Second)
			if _, lost := outage(got, 1000, 2*ms); lost > 0 {
				t.Errorf("underlay of %d: %d of 1000 lost", mtu, lost)
			}
		})
	}
}

// TestTwelveNodesConverge lays random legs between twelve nodes.
func TestTwelveNodesConverge(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred and thirty-two ways")
	}
	r := rand.New(rand.NewPCG(12, 12))
	all := ids(12)
	inPond(t, all, func(p *pond) {
		direct := map[leg]time.Duration{}
		for i, a := range all {
			for _, b := range all[:i] {
				d := time.Duration(5+r.IntN(146)) * ms
				direct[leg{a, b}], direct[leg{b, a}] = d, d
				p.lay(a, b, water{delay: d})
			}
		}
		p.start(nil)
		time.Sleep(5 * time.Second)
		far := 0
		for _, a := range all {
			for _, b := range all {
				if a == b {
					continue
				}
				best := direct[leg{a, b}]
				for _, c := range all {
					if c != a && c != b {
						best = min(best, direct[leg{a, c}]+direct[leg{c, b}])
					}
				}
				now := p.to(a, b)
				if !now.Alive {
					t.Errorf("%s to %s is not alive", a, b)
				}
				if float64(now.RTT) > 1.03*float64(2*best)+float64(ms) {
					far++
					t.Logf("%s to %s: %v by %v, %v would do", a, b, now.RTT, now.Way, 2*best)
				}
			}
		}
		if far > 0 {
			t.Errorf("%d of 132 ways are more than 3 %% too long", far)
		}
	})
}
