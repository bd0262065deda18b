package wan

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Event is a change of the link between two sites that is in force from a
// time on. Where several are in force at once, each changes what the earlier
// ones have made of the link.
type Event struct {
	At       time.Duration // since the start of the schedule
	For      time.Duration // how long it is in force; 0 is for good
	From, To Site
	OneWay   bool // From -> To only; otherwise both directions
	Change   Change
}

// Change makes another link of a link. It must be a function of its argument.
type Change func(Link) Link

// Cut takes the link down.
func Cut() Change { return func(l Link) Link { l.Down = true; return l } }

// Heal brings the link back from what earlier events did, and from a Cut by
// hand.
func Heal() Change { return func(l Link) Link { l.Down = false; return l } }

// Brownout leaves a link of the given rate in bits per second (0 keeps the
// rate), takes it longer by a delay and makes it lose a share of what it did
// not lose before.
func Brownout(rate int64, longer time.Duration, loss float64) Change {
	return func(l Link) Link {
		if rate != 0 {
			l.Rate = rate
		}
		l.Delay += longer
		l.Loss += (1 - l.Loss) * loss
		return l
	}
}

// Reroute leads over another route, of another delay.
func Reroute(delay time.Duration) Change {
	return func(l Link) Link { l.Delay = delay; return l }
}

// Narrow sets the MTU, and whether senders hear of it.
func Narrow(mtu int, icmp bool) Change {
	return func(l Link) Link { l.MTU, l.ICMP = mtu, icmp; return l }
}

// Check reports what makes no sense in an Event.
func (e Event) Check() error {
	switch {
	case e.Change == nil:
		return errors.New("nothing changes")
	case e.At < 0:
		return fmt.Errorf("it begins %v before the schedule", -e.At)
	case e.For < 0:
		return fmt.Errorf("it lasts %v", e.For)
	}
	return e.Change(Link{}).Check()
}

func (e Event) spell(start time.Time) spell {
	s := spell{from: start.Add(e.At), change: e.Change}
	if e.For > 0 {
		s.until = s.from.Add(e.For)
	}
	return s
}

// spell is an event on a path.
type spell struct {
	from, until time.Time // until is zero where it is for good
	change      Change
}

// insert keeps the order of beginnings, and of calls among equals.
func insert(spells []spell, s spell) []spell {
	i := len(spells)
	for i > 0 && spells[i-1].from.After(s.from) {
		i--
	}
	return slices.Insert(spells, i, s)
}

// inForce is what spells make of a link at a time, which spells are not over
// by then, and when the next one begins or ends; zero is never.
func inForce(base Link, spells []spell, now time.Time) (Link, []spell, time.Time) {
	spells = slices.DeleteFunc(spells, func(s spell) bool { return !s.until.IsZero() && !s.until.After(now) })
	var next time.Time
	soonest := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, s := range spells {
		soonest(s.from)
		soonest(s.until)
		if !s.from.After(now) {
			base = s.change(base)
		}
	}
	return base, spells, next
}
