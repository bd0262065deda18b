package path

import "time"

// The numbers of what a way carries.
const (
	muteAfter = 8           // datagrams, none of which the peer has heard
	muteTime  = time.Second // over at least this time
	muteFor   = time.Minute // first time; doubles
	muteMost  = 10 * time.Minute

	countEvery = 64               // datagrams make a measurement of loss
	countMost  = 1024             // and more than these are half forgotten
	countLife  = 10 * time.Second // and it is believed this long
)

// carry compares what we sent on a way with what the peer says it has heard
// there: a measure of loss, and of ways that answer probes but carry nothing.
type carry struct {
	sent, heard uint32  // at the last account
	lone        uint32  // likewise
	known       bool    // there was an account
	at          instant // the ping of the last account was sent
	moved       bool    // the peer has heard data, once
	sum, got    uint32  // since the last measurement
	loss        float64
	measured    instant // 0: never
	silent      uint32  // datagrams sent since what was heard last moved
	silentSince instant
	strikes     uint8
	until       instant // mute until then
}

// account takes the two counters: ours when the ping f was sent, the peer's
// when it arrived. trust is false if copies have gone another way since the
// last account: the slower copy of a datagram is not counted as heard, so only
// what went alone says something then. It reports whether the way is found
// mute now.
func (c *carry) account(f *flight, heard uint32, trust bool, now instant) bool {
	out, alone, in := f.sent-c.sent, f.lone-c.lone, heard-c.heard
	// Counters that went back are those of a peer that restarted, or of an
	// address that changed.
	fits := c.known && int32(out) >= 0 && int32(in) >= 0 && in <= out+out/4+1024
	c.sent, c.lone, c.heard, c.known, c.at = f.sent, f.lone, heard, true, max(c.at, f.at)
	if !fits {
		c.sum, c.got, c.silent, c.silentSince = 0, 0, 0, now
		return false
	}
	if in > 0 {
		c.moved, c.silent = true, 0
		if now > c.until.add(muteMost) {
			c.strikes = 0
		}
	} else if trust {
		c.silent += out
	} else if int32(alone) > 0 {
		c.silent += alone
	}
	if trust {
		c.measure(out, in, now)
	}
	if c.silent == 0 {
		c.silentSince = now
	}
	return c.silent >= muteAfter && now.since(c.silentSince) >= muteTime
}

// measure takes datagrams sent and heard. Both are summed up, so that those
// under way at one account are made up for at the next, and grow old by halves.
func (c *carry) measure(out, in uint32, now instant) {
	if !c.measured.within(countLife, now) && c.sum >= countEvery {
		c.sum, c.got = 0, 0
	}
	c.sum, c.got = c.sum+out, c.got+in
	if c.sum < countEvery {
		return
	}
	c.loss = max(0, 1-float64(c.got)/float64(c.sum))
	c.measured = now
	for c.sum > countMost {
		c.sum, c.got = c.sum/2, c.got/2
	}
}

// mute takes the way out of use for a while, longer each time.
func (c *carry) mute(now instant) {
	c.until = now.add(min(muteFor<<c.strikes, muteMost))
	c.strikes = min(c.strikes+1, 4)
	c.forget()
}

// forget begins the account anew.
func (c *carry) forget() {
	*c = carry{strikes: c.strikes, until: c.until, loss: c.loss, measured: c.measured}
}
