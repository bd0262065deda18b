package path

import "time"

// lossCost is what a lost datagram costs beside the round trip that its
// repetition takes: whoever waits for it has to notice first.
const lossCost = 250 * time.Millisecond

// price is the cost of a way of which rtt, jitter and loss are known.
func price(rtt, jitter time.Duration, loss float64) time.Duration {
	return rtt + jitter/2 + time.Duration(loss*float64(rtt+lossCost))
}

// cost makes ways comparable: how long an answer takes, on the whole.
func (c *candidate) cost(now instant) time.Duration {
	return price(c.delay.smooth, c.delay.jitter, c.loss(now))
}

// costs are the least and the greatest cost that the last three answers speak
// for; false while there are fewer.
func (c *candidate) costs(now instant) (least, most time.Duration, ok bool) {
	least, most, ok = c.delay.span()
	loss := c.loss(now)
	return price(least, 0, loss), price(most, 0, loss), ok
}
