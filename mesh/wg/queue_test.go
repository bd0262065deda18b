package wg

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/path"
)

// TestBulkNeverDelaysChat: an uplink of 10 Mbit/s is full of downloads, and
// chat passes them.
func TestBulkNeverDelaysChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, func(c *Config) { c.Rate = 10_000_000 })
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		var worst time.Duration
		next := 0
		for i := range 200 {
			a.say(t, b, landfall.Bulk, 10_000+next, 10_000+next+20, 1420)
			next += 20
			begin := time.Now()
			a.say(t, b, landfall.Interactive, i, i+1, 100)
			for {
				time.Sleep(time.Millisecond / 2)
				if slices.Contains(b.numbers(), i) {
					break
				}
			}
			worst = max(worst, time.Since(begin))
			time.Sleep(10*time.Millisecond - time.Since(begin)%(10*time.Millisecond))
		}
		if worst > 10*time.Millisecond {
			t.Errorf("chat waited %v", worst)
		}
		s := a.Stats()
		if s.QueueDropped["bulk"] == 0 || s.QueueDropped["interactive"] != 0 || s.Queued["bulk"] == 0 {
			t.Errorf("dropped %v, waiting %v", s.QueueDropped, s.Queued)
		}
	})
}

// TestClassesAreServedInOrder: what waits while the socket is full leaves by
// class, bulk last, and within a class in its order.
func TestClassesAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		a.say(t, b, landfall.Normal, 0, 1, 1000)
		synctest.Wait()
		var order []landfall.Class
		w.setTap(func(d datagram) {
			if d.from == a.at && len(d.b) > 1000 {
				order = append(order, d.class())
			}
		})
		a.sock.hold(true)
		for i := range 1200 { // far more than the window, in all classes
			a.say(t, b, []landfall.Class{landfall.Bulk, landfall.Normal, landfall.Interactive, landfall.Control}[i%4], i+1, i+2, 1000)
		}
		time.Sleep(10 * time.Millisecond)
		a.sock.hold(false)
		time.Sleep(time.Second)
		w.setTap(nil)
		if len(order) != 1200 {
			t.Fatalf("%d of 1200 left: %+v", len(order), a.Stats())
		}
		// What was inside, two batches at most, knows no order.
		rest := order[2*128+windowSize/1000:]
		end := map[landfall.Class]int{}
		for i, c := range rest {
			end[c] = i
		}
		if end[landfall.Interactive] > end[landfall.Normal] || end[landfall.Normal] > end[landfall.Bulk] || end[landfall.Control] > end[landfall.Bulk] {
			t.Errorf("the last of each class left at %v", end)
		}
		last := map[int]int{}
		for _, n := range b.numbers() {
			if n < last[n%4] {
				t.Errorf("%d after %d of the same class", n, last[n%4])
			}
			last[n%4] = n
		}
	})
}

// TestNoClassStarvesOthers: whatever floods, each class has its share, and
// within it goes at once.
func TestNoClassStarvesOthers(t *testing.T) {
	for _, flood := range ranks {
		for _, other := range ranks {
			if other == flood {
				continue
			}
			var c classes
			push := func(class landfall.Class) { c.push(class, waiting{slab: c.slab(), size: 1000}) }
			served := map[landfall.Class]int{}
			for range 3200 {
				for _, class := range []landfall.Class{flood, other} {
					if c.queues[class].packets() < 10 {
						push(class)
					}
				}
				class, w, _ := c.pop()
				served[class]++
				c.release(w.slab)
			}
			least := 3200 / (shares[other] + 1)
			if slices.Index(excess[:], other) < slices.Index(excess[:], flood) {
				least = 3200 - 3200/shares[flood]
			}
			if served[other] < least-2 {
				t.Errorf("class %d was served %d times of 3200 while class %d floods, want %d", other, served[other], flood, least)
			}
		}
	}
}

// TestControlDoesNotStarveChat: anybody may mark his packets CS6.
func TestControlDoesNotStarveChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, func(c *Config) { c.Rate = 8_000_000 })
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		for i := range 1000 {
			a.front.Send(numbered(a, b, landfall.Control, 10_000, 1300))
			a.front.Send(numbered(a, b, landfall.Control, 10_000, 1300))
			if i%10 == 0 {
				a.say(t, b, landfall.Interactive, i/10, i/10+1, 200)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		got := slices.DeleteFunc(b.numbers(), func(n int) bool { return n == 10_000 })
		if !slices.Equal(got, upTo(100)) {
			t.Errorf("%d of 100 arrived: %+v", len(got), a.Stats())
		}
	})
}

// TestFrontWaitsWhileBusy: nothing is lost while the socket is full only for a
// moment, however much is sent.
func TestFrontWaitsWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		a.sock.hold(true)
		a.say(t, b, landfall.Normal, 0, 3000, 1000)
		time.Sleep(patience / 2)
		a.sock.hold(false)
		time.Sleep(time.Second)
		if got := b.numbers(); !slices.Equal(got, upTo(3000)) {
			t.Errorf("%d of 3000 arrived: %v", len(got), a.Stats().QueueDropped)
		}
	})
}

// TestPeersWithoutSessionsHoldNobodyBack: what WireGuard keeps for them does
// not count.
func TestPeersWithoutSessionsHoldNobodyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		a.say(t, b, landfall.Normal, 0, 1, 1000)
		a.say(t, c, landfall.Normal, 0, 1, 1000)
		synctest.Wait()
		// b forgets us; a finds that out when its keys are spent.
		b.RemovePeer(a.id)
		time.Sleep(4 * time.Minute)
		for i := range 100 {
			a.say(t, b, landfall.Normal, 100*i, 100*i+100, 1000)
			a.say(t, c, landfall.Normal, i+1, i+2, 1000)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := c.numbers(); !slices.Equal(got, upTo(101)) {
			t.Errorf("%d of 101 arrived: %v, %+v", len(got), got, a.Stats())
		}
		if n := a.Stats().Inside; n != 0 {
			t.Errorf("%d bytes are counted as inside", n)
		}
	})
}

func TestPaceIsKept(t *testing.T) {
	p, now, n := pace{rate: 8_000_000}, time.Unix(100, 0), 0
	for end := now.Add(10 * time.Second); now.Before(end); now = now.Add(1300 * time.Microsecond) {
		for p.wait(now) == 0 {
			p.spend(1420, now)
			n += 1420 + perDatagram
		}
	}
	if n < 9_990_000 || n > 10_010_000 {
		t.Errorf("%d bytes in 10 s of 8 Mbit/s", n)
	}
	if open := (pace{}); open.wait(now) != 0 {
		t.Error("no rate is a bound")
	}
}

func TestMemoryForgets(t *testing.T) {
	m := memory{blocks: new(atomic.Int64)}
	start := time.Unix(100, 0)
	count := func(now time.Time) (n, bytes int) {
		m.recall(now, func(b []byte, tos uint8) {
			if len(b) != cap(b) || b[0] != tos {
				t.Errorf("%d bytes, first %d, TOS %d", len(b), b[0], tos)
			}
			n, bytes = n+1, bytes+len(b)
		})
		return n, bytes
	}
	size := func(i int) int { return 1 + i*7919%1400 }
	for i := range 5000 {
		b := make([]byte, size(i))
		b[0] = byte(i)
		m.keep([][]byte{b}, byte(i), i%2 == 0, start)
	}
	if n, bytes := count(start); n == 0 || bytes > memoryBytes || bytes < memoryBytes*8/10 {
		t.Errorf("%d datagrams of %d bytes", n, bytes)
	}
	if n, _ := count(start); n != 0 {
		t.Errorf("%d were recalled twice", n)
	}
	for i := range 10 {
		m.keep([][]byte{{byte(i)}}, byte(i), true, start.Add(time.Duration(i)*100*time.Millisecond))
	}
	if n, _ := count(start.Add(time.Second)); n != 3 {
		t.Errorf("%d are young enough", n)
	}
	if m.free(); m.blocks.Load() != 0 {
		t.Errorf("%d blocks are left", m.blocks.Load())
	}
}

// TestMemoryIsAsLargeAsNeeded: it holds all of memorySpan at any rate up to
// its bound, hardly more, and at least a little when others have all there is.
func TestMemoryIsAsLargeAsNeeded(t *testing.T) {
	m := memory{blocks: new(atomic.Int64)}
	now := time.Unix(100, 0)
	talk := func(perSecond int) (lately int) {
		for range 2 * perSecond {
			now = now.Add(time.Second / time.Duration(perSecond))
			m.keep([][]byte{make([]byte, 1250)}, 0, false, now)
		}
		return int(memorySpan.Seconds() * float64(perSecond))
	}
	for _, perSecond := range []int{10, 500, 1500, 500, 10} {
		want := talk(perSecond)
		if have := len(m.normal.blocks) * blockBytes; have > want*1300+4*blockBytes {
			t.Errorf("%d per second take %d bytes", perSecond, have)
		}
		n := 0
		m.recall(now, func([]byte, uint8) { n++ })
		if n < want {
			t.Errorf("%d of the last %d are remembered", n, want)
		}
		talk(perSecond)
	}
	m.free()
	m.blocks.Store(allBlocks)
	talk(5000)
	if n := len(m.normal.blocks); n != leastBlocks {
		t.Errorf("%d blocks where others have all there is", n)
	}
}

// TestAllOfAMemoryIsSentAgain: not just what goes out before the budget ends.
func TestAllOfAMemoryIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		r := path.Route{Primary: b.way(), MTU: 1472, Backup: path.Way{Via: c.id}, BackupMTU: 1438}
		a.Use(b.id, r)
		w.setFate(func(d *datagram) (time.Duration, bool) { return 0, d.to != b.at || d.from != a.at })
		const pages = 300
		for i := range pages {
			a.say(t, b, landfall.Normal, i, i+1, 1300)
			time.Sleep(time.Millisecond)
		}
		r.Doubt = true
		a.Use(b.id, r)
		time.Sleep(time.Second)
		if got := len(b.numbers()); got != pages {
			t.Errorf("%d of %d arrived", got, pages)
		}
	})
}

func TestMemoryIsFreedWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: b.way(), Backup: path.Way{Via: c.id}, MTU: 1472, BackupMTU: 1438})
		p := a.peers.node(b.id)
		held := func() bool {
			p.memory.mu.Lock()
			defer p.memory.mu.Unlock()
			return p.memory.normal.blocks != nil || p.memory.urgent.blocks != nil
		}
		time.Sleep(time.Minute)
		if held() {
			t.Error("room for what was never sent")
		}
		a.say(t, b, landfall.Normal, 0, 1, 100)
		time.Sleep(time.Second)
		if !held() {
			t.Error("nothing is kept")
		}
		time.Sleep(idleAfter + time.Second)
		if held() {
			t.Error("room for an idle pair")
		}
	})
}
