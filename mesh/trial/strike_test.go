package trial

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// strike does one thing to the world, and undoes it after a while.
func (s *storm) strike() {
	w, r := s.w, s.r
	i, j := r.IntN(len(w.ids)), r.IntN(len(w.ids)-1)
	if j >= i {
		j++
	}
	a, b := w.ids[i], w.ids[j]
	long := time.Second + time.Duration(r.Int64N(int64(20*time.Second)))
	event := wan.Event{From: site(a), To: site(b), For: long}
	switch r.IntN(10) {
	case 0, 1, 2:
		event.Change = wan.Cut()
		s.cut(long, leg{a, b}, leg{b, a})
	case 3, 4:
		event.Change, event.OneWay = wan.Cut(), true
		s.cut(long, leg{a, b})
	case 5:
		event.Change = wan.Reroute(time.Duration(5+r.IntN(150)) * ms)
	case 6:
		event.Change = wan.Narrow(1280, r.IntN(2) == 0)
		s.renew(a, b) // large packets are lost until that is found out
	case 7:
		event.Change = wan.Brownout(2_000_000, 20*ms, 0.02)
	case 8:
		s.kill(a, long)
		return
	case 9:
		s.move()
		return
	}
	if err := w.network.Schedule(time.Now(), event); err != nil {
		w.t.Fatal(err)
	}
}

// cut notes that legs are down for a while. One that is down already is left
// to whoever cut it first: the later of the two ends it.
func (s *storm) cut(long time.Duration, legs ...leg) {
	until := time.Now().Add(long)
	for _, l := range legs {
		if until.After(s.down[l]) {
			s.down[l] = until
		}
	}
}

// renew has the ways over a link count as new.
func (s *storm) renew(a, b landfall.NodeID) {
	for f := range s.since {
		if f.uses(leg{a, b}) || f.uses(leg{b, a}) {
			delete(s.since, f)
		}
	}
}

// move gives the NAT another address.
func (s *storm) move() {
	s.translate(netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + s.r.IntN(250))}))
	for _, other := range s.w.ids[1:] {
		s.renew(s.w.ids[0], other)
	}
}

// kill ends a node's process, so to speak, at once or for a while.
func (s *storm) kill(id landfall.NodeID, long time.Duration) {
	if s.w.nodes[id] == nil {
		return
	}
	s.w.stop(id)
	s.result.Restarts++
	if s.r.IntN(2) == 0 {
		long = 0
	}
	s.back[id] = time.Now().Add(long)
	s.look()
}

// legs are those of a way, in both directions.
func (f fare) legs() []leg {
	if f.via == "" {
		return []leg{{f.a, f.b}, {f.b, f.a}}
	}
	return []leg{{f.a, f.via}, {f.via, f.b}, {f.b, f.via}, {f.via, f.a}}
}

func (f fare) uses(l leg) bool { return slices.Contains(f.legs(), l) }

// works reports whether a way is there now.
func (s *storm) works(f fare) bool {
	if f.via != "" && (f.via == s.silent || s.w.nodes[f.via] == nil) || s.w.nodes[f.a] == nil || s.w.nodes[f.b] == nil {
		return false
	}
	for _, l := range f.legs() {
		if time.Now().Before(s.down[l]) {
			return false
		}
	}
	return true
}

// look starts whom it is time for, and judges.
func (s *storm) look() {
	for _, id := range s.w.ids {
		if at, dead := s.back[id]; dead && !time.Now().Before(at) {
			delete(s.back, id)
			s.w.run(id)
		}
	}
	for i, a := range s.w.ids {
		for _, b := range s.w.ids[:i] {
			s.judge(a, b)
		}
	}
}

// judge asks a pair for its packets if a way has been there for long enough.
func (s *storm) judge(a, b landfall.NodeID) {
	now := time.Now()
	var longest time.Duration
	for _, via := range append([]landfall.NodeID{""}, s.w.ids...) {
		f := fare{a, b, via}
		switch {
		case via == a || via == b:
			continue
		case !s.works(f):
			delete(s.since, f)
			continue
		case s.since[f].IsZero():
			s.since[f] = now
		}
		longest = max(longest, now.Sub(s.since[f]))
	}
	if longest < enough {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range []leg{{a, b}, {b, a}} {
		s.result.Checks++
		silence := min(now.Sub(s.heard[l]), longest)
		s.result.Longest = max(s.result.Longest, silence)
		if silence >= enough {
			s.result.Silent++
		}
	}
}

// talk has all pairs ask each other small and large things, once a second.
func (s *storm) talk() (stop func()) {
	question := make([]byte, 100)
	question[0] = 1
	binary.BigEndian.PutUint16(question[1:], 1200)
	return s.w.chatter(time.Second, question)
}
