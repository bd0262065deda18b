package wg

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall/mesh/path"
	"landfall/mesh/relay"
)

// TestHandshakesAreTriedBothWays has a relay that both ends believe in, for it
// forwards their probes. No data can tell on it before there is a session.
func TestHandshakesAreTriedBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		w.setFate(func(d *datagram) (time.Duration, bool) {
			relayed := d.from == c.at && relay.Is(d.b)
			return 10 * time.Millisecond, !relayed || d.b[relay.Overhead] == probeKind
		})
		before := a.Sessions()[b.id].Handshake
		via := path.Way{Via: c.id}
		a.Use(b.id, path.Route{Primary: via, Backup: b.way(), MTU: 1400, BackupMTU: 1400})
		b.Use(a.id, path.Route{Primary: via, Backup: a.way(), MTU: 1400, BackupMTU: 1400})
		time.Sleep(again)
		for range 2 {
			a.Initiate(b.id)
			time.Sleep(time.Second)
		}
		if !a.Sessions()[b.id].Handshake.After(before) {
			t.Error("no session came about")
		}
	})
}

// TestInitiationsAreTakenOnce: those that were recorded do nothing to a peer
// that has been made known anew.
func TestInitiationsAreTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		var mu sync.Mutex
		var recorded [][]byte
		answers := map[uint32]int{} // by the initiation's name
		w.setTap(func(d datagram) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case d.from == a.at && d.b[0] == initiation:
				recorded = append(recorded, slices.Clone(d.b))
			case d.from == b.at && d.b[0] == response:
				answers[binary.LittleEndian.Uint32(d.b[receiverAt:])]++
			}
		})
		for range 5 {
			a.Initiate(b.id)
			time.Sleep(time.Second)
		}
		mu.Lock()
		old := slices.Clone(recorded)
		mu.Unlock()
		for range 3 {
			b.RemovePeer(a.id)
			b.meet(t, a, false)
			b.Use(a.id, path.Route{Primary: a.way(), MTU: 1472})
			for _, d := range old {
				w.put(datagram{from: addrOf(9), to: b.at, b: d})
				time.Sleep(time.Second)
			}
			a.Initiate(b.id)
			time.Sleep(time.Second)
			if age := time.Since(b.Sessions()[a.id].Handshake); age > 2*time.Second {
				t.Errorf("the genuine initiation came to nothing: last session %v ago", age)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, d := range old {
			if n := answers[binary.LittleEndian.Uint32(d[senderAt:])]; n != 1 {
				t.Errorf("an initiation was answered %d times", n)
			}
		}
		if n := b.Stats().Dropped["handshake_repeated"]; len(old) < 5 || n != uint64(3*len(old)) {
			t.Errorf("%d dropped of 3 times %d", n, len(old))
		}
	})
}

// TestStrangersDoNotFillWhatWasTaken: nor have they others' initiations
// dropped.
func TestStrangersDoNotFillWhatWasTaken(t *testing.T) {
	n := initiations{seed: maphash.MakeSeed()}
	d := make([]byte, initiationSize)
	for i := range 5000 {
		binary.LittleEndian.PutUint32(d[noiseAt:], uint32(i))
		for range 2 {
			if n.again(d) {
				t.Fatal("dropped before WireGuard has taken it")
			}
		}
	}
	if n.taken != nil {
		t.Error("there is a table of what was never taken")
	}
	d[senderAt] = 7
	answer := make([]byte, responseSize)
	answer[receiverAt] = 7
	n.again(d)
	n.answered(answer)
	if !n.again(d) {
		t.Error("not known again")
	}
	if d[noiseEnd-1]++; n.again(d) {
		t.Error("another one is dropped")
	}
}
