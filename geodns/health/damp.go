package health

import (
	"math"
	"time"
)

// Penalty is what a node has earned by going down, as RFC 2439, 4.2, has it
// for routes: a point for each fall, which halve every two minutes. A node that
// has three is held down, also while it is up, until one is left of them.
//
//	points
//	  5.7 ┤- - - - - - - - - ╭╮- - -  no more are counted: held for five minutes
//	      │              ╭╮ ╭╯╰─╮    after the last fall at most
//	    3 ┤- - - - - ╭╮╭─╯╰─╯ - ╰──╮
//	      │      ╭╮╭─╯╰╯           ╰────╮
//	    1 ┤- ╭╮╭─╯╰╯ - - - - - - - - - -╰───
//	      │──╯╰╯     │← held down      →│
//
// Falls count while it is held as well, so that one which goes on flapping is
// held for longer. The zero Penalty is none.
type Penalty struct {
	Points float64   `json:"points"` // as of When
	When   time.Time `json:"when"`   // of the last fall
	Held   bool      `json:"held"`   // down until Until
}

// The figures of damping. Four falls within a minute and a half make three
// points, and one every minute never does: who restarts a server a few times is
// no flapping.
const (
	halfLife = 2 * time.Minute
	hold     = 3.0
	release  = 1.0
	longest  = 5 * time.Minute // that a node is held after its last fall
)

// most is how many points last for the longest hold.
func most() float64 { return release * math.Exp2(float64(longest)/float64(halfLife)) }

// At is how many points are left.
func (p Penalty) At(now time.Time) float64 {
	age := max(now.Sub(p.When), 0) // a clock that was set back takes no points away
	return p.Points * math.Exp2(-float64(age)/float64(halfLife))
}

// Fallen is the penalty after one more fall.
func (p Penalty) Fallen(now time.Time) Penalty {
	points := min(p.At(now)+1, most())
	return Penalty{points, now, p.Holds(now) || points >= hold}
}

// Holds reports whether the node is held down.
func (p Penalty) Holds(now time.Time) bool { return p.Held && now.Before(p.Until()) }

// Until is when the node is let go; the zero time: it is not held.
func (p Penalty) Until() time.Time {
	if !p.Held {
		return time.Time{}
	}
	return p.When.Add(time.Duration(float64(halfLife) * math.Log2(p.Points/release)))
}

// Spared is the penalty of a node that is needed although it is held: it keeps
// its points, and is held again when it falls again.
func (p Penalty) Spared() Penalty {
	p.Held = false
	return p
}

// sound reports whether a penalty that was read from a file can be one.
func (p Penalty) sound() bool {
	return p.Points >= 0 && p.Points <= most() && (!p.Held || p.Points > 0)
}
