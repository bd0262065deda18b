package wg

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/meshtest"
	"landfall/mesh/path"
	"landfall/mesh/udp"
)

func TestPacketsArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		for _, size := range []int{60, 577, 1420} {
			a.say(t, b, landfall.Normal, 0, 1000, size)
			time.Sleep(time.Second)
			if got := b.numbers(); !slices.Equal(got, upTo(1000)) {
				t.Errorf("%d packets of %d bytes, or in disorder", len(got), size)
			}
		}
		if s := a.Stats(); s.Inside != 0 || s.Sent != 3000 {
			t.Errorf("sent %d, still inside %d", s.Sent, s.Inside)
		}
	})
}

// TestTagsSurvive: classes and marks go with each packet through WireGuard, in
// both directions. It fails if WireGuard ever stops to work in place.
func TestTagsSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		got := map[uint8]int{}
		w.setTap(func(d datagram) {
			if d.from == a.at && d.b[0] == data && len(d.b) > keepaliveSize {
				got[d.tos]++
			}
		})
		for i := range 400 {
			p := numbered(a, b, []landfall.Class{landfall.Control, landfall.Interactive, landfall.Normal, landfall.Bulk}[i%4], i, 100+i)
			setECN(p, uint8(i/4)%3)
			a.front.Send(p)
		}
		time.Sleep(time.Second)
		w.setTap(nil)
		for _, dscp := range []uint8{48, 34, 0, 1} {
			for ecn, want := range []int{34, 33, 33} {
				if n := got[dscp<<2|uint8(ecn)]; n < want-1 || n > want+1 {
					t.Errorf("DSCP %d with ECN %d: %d datagrams, want about %d", dscp, ecn, n, want)
				}
			}
		}
		if got := b.numbers(); !slices.Equal(got, upTo(400)) {
			t.Errorf("%d arrived, or in disorder", len(got))
		}
		for _, tr := range b.Traffic(a.id) {
			if tr.Way != a.way() || tr.Heard != 400 || tr.LargestHeard < 499+overhead {
				t.Errorf("heard %+v", tr)
			}
		}
	})
}

func TestPeersComeAndGoUnderTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				a.front.Send(numbered(a, b, landfall.Normal, i, 1000))
				a.front.Send(numbered(a, c, landfall.Interactive, i, 1000))
			}
		}()
		for range 20 {
			a.RemovePeer(b.id)
			time.Sleep(10 * time.Millisecond)
			a.meet(t, b, true)
			a.Use(b.id, path.Route{Primary: b.way(), Backup: path.Way{Via: c.id}, Doubt: true, MTU: 1472, BackupMTU: 1400})
			a.Initiate(b.id)
			time.Sleep(90 * time.Millisecond)
		}
		close(stop)
		<-done
		time.Sleep(time.Second)
		if n := len(c.numbers()); n < 1990 {
			t.Errorf("the peer that stayed was sent %d", n)
		}
		if n := len(b.numbers()); n < 1500 {
			t.Errorf("the peer that came and went was sent %d", n)
		}
		if s := a.Stats(); s.Inside != 0 {
			t.Errorf("%d bytes are still counted as inside: %+v", s.Inside, s)
		}
	})
}

func TestStrangersAndDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		if err := a.AddPeer(a.peerOf(t, b, true)); err == nil {
			t.Error("a peer was added twice")
		}
		a.RemovePeer("nobody")
		a.Use("nobody", path.Route{})
		a.Initiate("nobody")
		if a.Traffic("nobody") != nil || a.SendTo([]byte("L"), "nobody", b.way()) == nil {
			t.Error("somebody is there")
		}
	})
}

func TestStartRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"MTU too small": func(c *Config) { c.MTU = 1279 },
		"MTU too large": func(c *Config) { c.MTU = 9000 },
		"no socket":     func(c *Config) { c.Conns = nil },
		"no front":      func(c *Config) { c.Front = nil },
		"nobody told":   func(c *Config) { c.Wanted = nil },
		"negative rate": func(c *Config) { c.Rate = -1 },
	} {
		n := &node{}
		cfg := Config{
			Key: landfall.NewPrivateKey(), Conns: []udp.Conn{newWire().sock(addrOf(0))},
			Front: meshtest.NewFront(n.arrived), Other: n.other, Wanted: n.want, Active: n.wake,
		}
		spoil(&cfg)
		if d, err := Start(cfg); err == nil {
			d.Close()
			t.Errorf("%s: started", name)
		}
	}
}

func TestActiveOnceInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Minute) // keepalives are no data
		for range 3 {
			for i := range 5 {
				a.say(t, b, landfall.Normal, i, i+1, 100)
				time.Sleep(9 * time.Second)
			}
			time.Sleep(2 * time.Second)
		}
		_, _, atA := a.told()
		_, _, atB := b.told()
		if len(atA) != 3 || len(atB) != 3 {
			t.Errorf("woken %d and %d times", len(atA), len(atB))
		}
	})
}

func TestWishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		w.setFate(func(d *datagram) (time.Duration, bool) { return 0, d.b[0] != initiation })
		time.Sleep(4 * time.Minute) // the session, if there was one, has ended
		b.say(t, a, landfall.Normal, 0, 10, 100)
		time.Sleep(time.Second)
		if _, wanted, _ := b.told(); len(wanted) == 0 {
			t.Error("no handshake was wanted of the other side")
		}
		w.setFate(nil)
		a.Initiate(b.id)
		time.Sleep(time.Second)
		if got := a.numbers(); !slices.Equal(got, upTo(10)) {
			t.Errorf("arrived: %v", got)
		}
		if s := a.Sessions()[b.id]; s.Handshake.IsZero() || s.RxBytes == 0 {
			t.Errorf("session %+v", s)
		}
	})
}
