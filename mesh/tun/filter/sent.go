package filter

import "time"

// Remembered is how long at least it is known whom this machine has sent UDP
// to; twice that at most (RFC 4787, 4.3).
const Remembered = 2 * time.Minute

// maxFlows bounds what is remembered: so many of the newest, at least.
const maxFlows = 4096

// Flow is a peer's address and port, and the port here.
type Flow [16 + 2 + 2]byte

func flow(peer, theirs, ours []byte) (f Flow) {
	copy(f[:], peer)
	copy(f[16:], theirs)
	copy(f[18:], ours)
	return f
}

// Sent remembers where UDP was sent to. The zero Sent is ready; it has one
// user at a time.
type Sent struct {
	young, old map[Flow]struct{}
	turned     time.Time // when young was begun
}

// Note notes a packet that leaves.
func (s *Sent) Note(f Flow, now time.Time) {
	s.turn(now)
	if len(s.young) >= maxFlows {
		if _, known := s.young[f]; known {
			return
		}
		s.old, s.young, s.turned = s.young, nil, now
	}
	if s.young == nil {
		s.young = map[Flow]struct{}{}
	}
	s.young[f] = struct{}{}
}

// Has reports whether a packet answers one that has left.
func (s *Sent) Has(f Flow, now time.Time) bool {
	s.turn(now)
	if _, ok := s.young[f]; ok {
		return true
	}
	_, ok := s.old[f]
	return ok
}

// turn forgets what is too old.
func (s *Sent) turn(now time.Time) {
	switch age := now.Sub(s.turned); {
	case age >= 2*Remembered:
		s.old, s.young, s.turned = nil, nil, now
	case age >= Remembered:
		s.old, s.young, s.turned = s.young, nil, now
	}
}
