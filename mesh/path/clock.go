package path

import "time"

// instant is a time by the table's own clock, which begins a second before
// the first time it was told. It takes a third of the room of a time.Time and
// goes by the monotonic clock: a wall clock that jumps changes nothing. The
// zero instant is "never".
type instant time.Duration

// clock turns times into instants and back.
type clock struct{ zero time.Time }

func (c *clock) at(now time.Time) instant {
	if c.zero.IsZero() {
		c.zero = now.Add(-time.Second)
	}
	return instant(max(now.Sub(c.zero), 1))
}

// ago is at for times that may be "never".
func (c *clock) ago(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return c.at(t)
}

func (c *clock) time(i instant) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return c.zero.Add(time.Duration(i))
}

func (i instant) add(d time.Duration) instant              { return i + instant(d) }
func (i instant) since(old instant) time.Duration          { return time.Duration(i - old) }
func (i instant) within(d time.Duration, now instant) bool { return i != 0 && now.since(i) <= d }

// first is the earlier of two instants, either of which may be "never".
func first(a, b instant) instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
