package roll

import "time"

// maxForeseen bounds what Foresee looks at.
const maxForeseen = 100

// ideal are the facts where everybody does what is asked for.
func (s State) ideal(now time.Time) Facts {
	v := s.At(now)
	f := Facts{Current: true, Parent: Parent{Known: true, None: v.Delete, TTL: s.DSTTL}}
	if v.Asked != 0 {
		f.Parent.All = []ID{v.Asked}
	}
	return f
}

// Waits reports whether facts could bring something on at a time: whether it is
// of use to look at name servers.
func (s State) Waits(now time.Time) bool {
	_, steps, _ := s.Next(now, s.ideal(now))
	return len(steps) > 0
}

// Asks reports whether the parent zone is asked for something at a time that it
// was not seen to have done.
func (s State) Asks(now time.Time) bool {
	if !s.Leave.IsZero() {
		return begun(s.Leave, now) && s.Gone.IsZero()
	}
	id := s.At(now).Asked
	k, ok := s.Key(id)
	return ok && k.Seen.IsZero()
}

// Foresee is what happens, and at the earliest when, if everybody does at once
// what is asked for, up to a time.
func (s State) Foresee(now, until time.Time) (all []Step) {
	for range maxForeseen {
		var steps []Step
		var when time.Time
		s, steps, when = s.Next(now, s.ideal(now))
		all = append(all, steps...)
		if soon := now.Add(time.Second); len(steps) > 0 || s.Waits(soon) { // what was decided is seen a moment later
			when = earlier(when, soon)
		}
		if when.IsZero() || when.After(until) {
			return all
		}
		now = when
	}
	return all
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
