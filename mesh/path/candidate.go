package path

import (
	"time"

	"landfall/mesh/pmtu"
)

// Life is where a way stands.
type Life uint8

// The lives of a way.
const (
	Fresh   Life = iota // never answered, not given up
	Living              // answers
	Suspect             // answered before; a probe is late
	Gone                // DeadAfter probes were late, and nothing came
	Mute                // answers probes, but carries no data
	Refused             // relayed, and the node between says that it relays nothing: as told in Ways
)

// String is a word for logs.
func (l Life) String() string {
	switch l {
	case Fresh:
		return "new"
	case Living:
		return "alive"
	case Suspect:
		return "suspect"
	case Gone:
		return "dead"
	case Mute:
		return "mute"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// candidate is a way, with what is known about it.
type candidate struct {
	way     Way
	learned bool // heard from, not named by the map; forgotten when dead
	drained bool // a relayed way: its relay is about to leave
	life    Life // never Mute, which is the carry's to say
	delay   delay
	fate    fate
	carry   carry

	flights  []flight // in the order they were sent
	next     instant  // the next probe
	launched instant  // the last one
	misses   int      // late probes in a row
	missing  instant  // when the first of them was sent
	asked    instant  // since when we ask
	answered instant  // the last answer came
	proved   instant  // the probe it answered was sent
	settling uint8    // answers until it is settled
	volley   uint8    // hot probes still to send at short distance
	tries    uint8    // probes since it died

	deaths  uint8   // lately
	sum     uint32  // a relayed way: what its halves should cost together, in steps of viewStep
	died    instant // the last time
	revived instant // it answered again after that

	sent        uint32 // as the data plane says
	heard       uint32 // likewise
	lone        uint32 // of what was sent, such as went by no other way too
	lastSent    instant
	lastHeard   instant
	unanswered  instant
	gap         time.Duration
	largestSent int // since the last answer

	better instant // since when it beats the primary; 0: it does not
	pinged instant // the peer last asked by it
	wanted instant // a relayed way: when it was last among the best

	search *pmtu.Search // nil before the pair was active
}

// mute reports whether the way is known to carry nothing.
func (c *candidate) mute(now instant) bool { return c.carry.until > now }

// answers reports whether the way is believed to work for probes at least.
func (c *candidate) answers() bool { return c.life == Living || c.life == Suspect }

// usable reports whether datagrams are believed to arrive.
func (c *candidate) usable(now instant) bool { return c.answers() && !c.mute(now) }

// loss is the best measure of loss at hand.
func (c *candidate) loss(now instant) float64 {
	if c.carry.measured.within(countLife, now) {
		return c.carry.loss
	}
	return c.fate.loss()
}

// lives is the life as it is told.
func (c *candidate) lives(now instant) Life {
	if c.answers() && c.mute(now) {
		return Mute
	}
	return c.life
}

// mtu is the largest UDP payload believed to arrive.
func (c *candidate) mtu() int {
	if c.search == nil {
		return pmtu.Base
	}
	return c.search.Size()
}

// revive begins anew with a way that was dead.
func (c *candidate) revive(now instant) {
	if c.life != Gone {
		return
	}
	c.revived, c.settling, c.tries = now, settled, 0
	c.fate, c.carry.loss, c.carry.measured = fate{}, 0, 0 // nobody was there to hear
}
