package pmtu

import (
	"slices"
	"time"
)

// Probes are the sizes to probe now; each is taken to be sent. Ask when Next
// says so, and after every change; and only while the way works, for to a
// search nothing at all arriving looks like a way that is very narrow.
func (s *Search) Probes(now time.Time) []int {
	s.expire(now)
	var sizes []int
	if s.confirms() && !s.check.wait && !now.Before(s.confirmAt()) {
		s.check.size, s.check.sent, s.check.wait = s.lo, now, true
		sizes = append(sizes, s.lo)
	}
	if !s.due.IsZero() && !now.Before(s.due) && !s.waits() {
		for _, size := range s.plan(now) {
			s.send(size, now)
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// Next is when Probes has something to do; the zero time if never.
func (s *Search) Next() time.Time {
	var next time.Time
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	waits := false
	for i := range s.tries {
		if t := &s.tries[i]; t.wait {
			waits = true
			soonest(s.expires(t))
		}
	}
	if !waits && !s.due.IsZero() {
		soonest(s.due)
	}
	switch {
	case s.check.wait:
		soonest(s.expires(&s.check))
	case s.confirms():
		soonest(s.confirmAt())
	}
	return next
}

// confirms reports whether the size in use is one to be confirmed.
func (s *Search) confirms() bool {
	return s.lo >= s.floor() && (s.state == Complete || s.check.misses > 0)
}

// confirmAt is when the size in use is to be probed again: at once after a
// probe of it has failed.
func (s *Search) confirmAt() time.Time {
	if s.check.misses > 0 {
		return s.known
	}
	return s.known.Add(ConfirmEvery)
}

// expire notes which probes have failed.
func (s *Search) expire(now time.Time) {
	for i := range s.tries {
		t := &s.tries[i]
		if t.wait && !now.Before(s.expires(t)) {
			t.wait = false
			t.misses++
			// Something arrives, but not all: no reason to believe in Base.
			s.clipped = s.clipped || s.lo > 0
			if s.state == Starting || s.state == Searching {
				s.due = now
			}
		}
	}
	if c := &s.check; c.wait && !now.Before(s.expires(c)) {
		c.wait = false
		if c.misses++; c.misses >= MaxProbes {
			s.Suspect(now) // a black hole (RFC 8899, 4.3)
		}
	}
}

// send notes that a size is probed.
func (s *Search) send(size int, now time.Time) {
	s.spent += size + s.overhead
	i, found := slices.BinarySearchFunc(s.tries, size, func(t try, size int) int { return t.size - size })
	if !found {
		s.tries = slices.Insert(s.tries, i, try{size: size})
	}
	s.tries[i].sent, s.tries[i].wait = now, true
}

// plan is the next round. The one before is over.
func (s *Search) plan(now time.Time) []int {
	switch s.state {
	case Starting:
		if s.ladders++; s.ladders <= MaxProbes {
			return s.ladder()
		}
		s.state, s.clipped, s.pause = Error, true, retry
		s.due = now.Add(s.pause)
		return nil
	case Error:
		s.spent = 0
		s.pause = min(2*s.pause, retryMost)
		s.due = now.Add(s.pause)
		return s.ladder()
	case Complete: // time to look for more
		s.state, s.spent, s.tries, s.max = Searching, 0, nil, s.most()
	}
	return s.narrow(now)
}

// ladder is a round of all usual sizes, and of those that there is a reason
// to expect.
func (s *Search) ladder() []int {
	sizes := []int{s.last, s.hint}
	for _, mtu := range rungs() {
		sizes = append(sizes, mtu-s.overhead)
	}
	sizes = slices.DeleteFunc(sizes, func(size int) bool { return size < s.floor() || size > s.max })
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// narrow is a round between the largest size that arrived and the smallest
// that did not: a step above the former, for it is most often a usual one;
// two in between; and the latter again until it is given up for good.
func (s *Search) narrow(now time.Time) []int {
	hi := try{size: s.max + 1, misses: MaxProbes}
	switch {
	case len(s.tries) > 0:
		hi = s.tries[0]
	case s.lo < s.max:
		hi = try{size: s.max} // not probed yet
	}
	gap := hi.size - s.lo
	known := gap <= Step && hi.misses >= MaxProbes
	if known || s.spent >= Budget {
		s.complete(now)
		return nil
	}
	var sizes []int
	if gap > Step {
		sizes = append(sizes, s.lo+Step, s.lo+max(gap/3, Step), s.lo+max(2*gap/3, Step))
	}
	if hi.misses < MaxProbes {
		sizes = append(sizes, hi.size)
	}
	return slices.Compact(sizes)
}
