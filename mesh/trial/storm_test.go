package trial

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/relay"
	"landfall/mesh/wan"
)

const (
	// enough is how long a way has been there before it must be in use.
	enough = 10 * time.Second
	// busy is how many probes a second a node may send to each of its peers, in
	// the worst ten seconds: everybody may be in doubt about everybody then.
	busy = 150
)

// TestStorm has cables cut and mended, nodes killed and started, a NAT that
// forgets, paths that become narrow, and a relay that forwards nothing but
// probes, all at random moments. Pairs that have a way must find it.
func TestStorm(t *testing.T) {
	result := Storm{Lasted: time.Duration(rounds(t, 1, 3, 60)) * time.Minute}
	inWorld(t, 11, names(6), func(w *world) {
		s := newStorm(w, &result)
		w.start()
		time.Sleep(5 * time.Second)
		stop := s.talk()
		s.rage()
		stop()
	})
	print(t, "storm", result)
	if result.Silent > 0 {
		t.Errorf("%d times of %d a pair that had a way heard nothing, for %v at most", result.Silent, result.Checks, result.Longest)
	}
	if result.ProbesMost > busy*float64(result.Peers) {
		t.Errorf("a node sent %.0f probes a second", result.ProbesMost)
	}
}

// storm is bad weather, and what ought to work in it.
type storm struct {
	w      *world
	r      *rand.Rand
	result *Storm
	start  time.Time
	down   map[leg]time.Time             // until when
	since  map[fare]time.Time            // since when a way has been there; fare.via is "" for a direct one
	back   map[landfall.NodeID]time.Time // when one that was killed starts again
	silent landfall.NodeID               // forwards nothing but probes

	mu     sync.Mutex
	heard  map[leg]time.Time
	probes map[landfall.NodeID]int // in this ten seconds
}

func newStorm(w *world, result *Storm) *storm {
	s := &storm{
		w: w, r: rand.New(rand.NewPCG(w.seed, 5)), result: result, start: time.Now(), down: map[leg]time.Time{},
		since: map[fare]time.Time{}, back: map[landfall.NodeID]time.Time{}, heard: map[leg]time.Time{}, probes: map[landfall.NodeID]int{}, silent: w.ids[1],
	}
	w.layAll(randomChart(s.r, w.ids), func(l wan.Link) wan.Link {
		l.Jitter, l.Reorder, l.Loss, l.MTU = l.Delay/20, true, 0.001, 1500
		return l
	})
	first := newBill(w).first
	s.translate(w.at[w.ids[0]].Addr())
	w.at[w.ids[0]] = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), w.at[w.ids[0]].Port())
	w.wrap = func(id landfall.NodeID, c *wan.MemoryConn) net.PacketConn {
		if id == s.silent {
			return mute{c, first}
		}
		return c
	}
	w.heard = s.take
	w.memory.Tap(s.count)
	result.Peers = len(w.ids) - 1
	return s
}

// translate puts the first node behind a NAT of this address, which knows of
// nobody.
func (s *storm) translate(public netip.Addr) {
	if err := s.w.memory.SetNAT(site(s.w.ids[0]), wan.PortRestricted(public)); err != nil {
		s.w.t.Fatal(err)
	}
}

// mute forwards probes, and drops all else that it should forward.
type mute struct {
	*wan.MemoryConn
	first map[relay.ID]bool
}

// WriteMarked implements udp.MarkedConn.
func (m mute) WriteMarked(b []byte, to netip.AddrPort, tos uint8) (int, error) {
	if id, err := relay.Peek(b); err == nil && !m.first[id] && b[relay.Overhead] != probe {
		return len(b), nil
	}
	return m.MemoryConn.WriteMarked(b, to, tos)
}

// count counts probes by their sender.
func (s *storm) count(r wan.Record) {
	_, err := relay.Peek(r.Bytes)
	if err == nil && r.Bytes[relay.Overhead] != probe || err != nil && (len(r.Bytes) == 0 || r.Bytes[0] != probe) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.w.m.Nodes {
		if r.From.Addr() == s.w.at[n.ID].Addr() {
			s.probes[n.ID]++
		}
	}
}

// take notes what arrives, and answers questions.
func (s *storm) take(from, to landfall.NodeID, body []byte) {
	s.mu.Lock()
	s.heard[leg{from, to}] = time.Now()
	s.mu.Unlock()
	if body[0] == 1 {
		answer := make([]byte, binary.BigEndian.Uint16(body[1:]))
		s.w.send(to, from, landfall.Normal, answer)
	}
}

// rage does something every few seconds, and looks all the time.
func (s *storm) rage() {
	const step = 100 * ms
	next := time.Now()
	for i := 0; time.Since(s.start) < s.result.Lasted; i++ {
		if !time.Now().Before(next) {
			s.strike()
			s.result.Events++
			next = time.Now().Add(time.Duration(s.r.Int64N(int64(6 * time.Second))))
		}
		s.look()
		if i%100 == 99 {
			s.mu.Lock()
			for _, n := range s.probes {
				s.result.ProbesMost = max(s.result.ProbesMost, float64(n)/10)
			}
			clear(s.probes)
			s.mu.Unlock()
		}
		time.Sleep(step)
	}
}
