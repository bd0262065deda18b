package path

import (
	"net/netip"
	"slices"
	"time"
)

// The numbers behind the package comment.
const (
	Interval  = time.Second            // between probes of an alive or dead candidate
	Hurry     = 200 * time.Millisecond // between probes of a new or suspect one
	DeadAfter = 4                      // late probes in a row

	silence     = time.Second            // a peer that spoke within it is not dead
	minLate     = 250 * time.Millisecond // the least that makes a probe late
	unknownLate = time.Second            // late where no round trip is known
	forget      = 5 * time.Second        // an answer later than this is none
)

type life uint8

const (
	fresh life = iota // never answered, not given up
	alive
	suspect // was alive, a probe is late
	dead
)

func (l life) String() string { return [...]string{"new", "alive", "suspect", "dead"}[l] }

// works reports whether datagrams are believed to arrive.
func (l life) works() bool { return l == alive || l == suspect }

// candidate is one endpoint that may lead to a peer.
type candidate struct {
	addr    netip.AddrPort
	learned bool // heard from, not named by the map; forgotten when dead
	life    life
	rtt     time.Duration // smoothed; 0 is unknown (RFC 6298, 2)
	rttvar  time.Duration
	loss    float64 // smoothed share of probes that were late or lost, since the first answer
	misses  int     // late probes in a row
	next    time.Time
	heard   time.Time // last answer, or when we began to ask
	sent    []flight
	better  time.Time // since when it beats the chosen one; zero if it does not
}

type flight struct {
	stamp int64
	at    time.Time
	late  bool
}

// late is how long a probe may take.
func (c *candidate) late() time.Duration {
	if c.rtt == 0 {
		return unknownLate
	}
	return max(minLate, c.rtt+4*c.rttvar)
}

// pace is the time between two probes.
func (c *candidate) pace() time.Duration {
	if c.life == alive || c.life == dead {
		return Interval
	}
	return Hurry
}

// sweep notices probes that have become late, and forgets old ones.
func (c *candidate) sweep(now time.Time) {
	kept := c.sent[:0]
	for _, f := range c.sent {
		age := now.Sub(f.at)
		if !f.late && age >= c.late() {
			f.late = true
			c.miss(now)
		}
		if age < forget {
			kept = append(kept, f)
		}
	}
	c.sent = kept
}

func (c *candidate) miss(now time.Time) {
	c.misses++
	c.loss += (1 - c.loss) / 16
	switch {
	case c.misses >= DeadAfter:
		c.life = dead
	case c.life == alive:
		c.life = suspect
		c.next = now
	}
}

// answer takes the pong of a probe that was sent; false if none was.
func (c *candidate) answer(stamp int64, now time.Time) bool {
	for i, f := range c.sent {
		if f.stamp != stamp {
			continue
		}
		c.sent = append(c.sent[:i], c.sent[i+1:]...)
		if c.rtt == 0 { // nobody was there to answer before: nothing was lost
			c.loss, c.sent = 0, slices.DeleteFunc(c.sent, func(old flight) bool { return old.stamp < stamp })
		}
		c.measure(max(now.Sub(f.at), 1))
		if !f.late {
			c.loss -= c.loss / 16
		}
		if c.life != alive {
			c.next = now.Add(Interval)
		}
		c.life, c.misses, c.heard = alive, 0, now
		return true
	}
	return false
}

// measure smooths the round-trip time (RFC 6298, 2).
func (c *candidate) measure(rtt time.Duration) {
	if c.rtt == 0 {
		c.rtt, c.rttvar = rtt, rtt/2
		return
	}
	c.rttvar += ((c.rtt - rtt).Abs() - c.rttvar) / 4
	c.rtt += (rtt - c.rtt) / 8
}

// due is when something about the candidate may change by itself.
func (c *candidate) due() time.Time {
	t := c.next
	for _, f := range c.sent {
		if at := f.at.Add(c.late()); !f.late && at.Before(t) {
			t = at
		}
	}
	return t
}

// failing reports whether one should rather not rely on the candidate: one
// late probe is bad luck, two are a sign.
func (c *candidate) failing() bool { return c.life != alive && c.misses >= 2 || !c.life.works() }

// cost makes candidates comparable: a lost datagram costs about a second.
func (c *candidate) cost() time.Duration {
	return c.rtt + time.Duration(c.loss*float64(time.Second))
}
