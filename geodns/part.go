package geodns

import "time"

// How long a server that ends stays with those who are connected: until what
// they have asked is answered, but not for ever, and not long with those who
// have not asked anything yet.
const (
	maxParting = 3 * time.Second
	maxSilence = time.Second
	// lastWord is for what has come already and waits to be read.
	lastWord = 20 * time.Millisecond
)

// part lets connections end where nothing is lost by it (RFC 7766, 6.2.4): who
// is being answered hears the answer, who has connected a moment ago may ask,
// and who only keeps a connection for later finds it closed. Nobody takes in
// new ones any more, but for what was accepted already.
func (c *conns) part() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parted = true
	for e := c.order.Front(); e != nil; e = e.Next() {
		if t := e.Value.(*tcpConn); t.parts {
			_ = t.SetReadDeadline(time.Now().Add(c.left(t))) // fails where it is closed
		}
	}
}

// parting reports whether connections end.
func (c *conns) parting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parted
}

// rest is how long the next query of a connection may take.
func (c *conns) rest(t *tcpConn) time.Duration {
	c.mu.Lock()
	t.parts = true
	parted, left := c.parted, c.left(t)
	c.mu.Unlock()
	if parted {
		return left
	}
	return c.patience()
}

// left is rest for a connection that is to end, with the lock held.
func (c *conns) left(t *tcpConn) time.Duration {
	if t.asked {
		return lastWord
	}
	return maxSilence
}
