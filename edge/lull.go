package edge

import (
	"sync/atomic"
	"time"
)

// When a stream of a service of kind tcp is quiet, so that it may be shed when
// room is short. Both count from what moved last, either way.
const (
	mute  = 30 * time.Second // while the client has said nothing
	quiet = 15 * time.Minute // once it has: pools of connections rest
)

// lull finds out when a stream is quiet, and counts it as idle then.
//
//	mute or quiet is over
//	awake ---------------------> asleep: idle, may be shed
//	  ^                             |
//	  +-----------------------------+
//	          something moves
type lull struct {
	guests *guests
	conn   *conn
	moved  atomic.Int64 // when something did, Unix nanoseconds
	spoke  atomic.Bool  // the client has
	asleep atomic.Bool  // set before moved is looked at for the last time; changed under guests.mu

	timer *time.Timer // guarded by guests.mu; nil: the stream has ended
}

// follow counts a connection as an active stream until it is quiet.
func (g *guests) follow(c *conn) *lull {
	l := &lull{guests: g, conn: c}
	l.moved.Store(time.Now().UnixNano())
	g.mu.Lock()
	defer g.mu.Unlock()
	c.stream = true
	g.rouse(c)
	l.timer = time.AfterFunc(mute, l.look)
	return l
}

// left is how long from now the stream will be quiet if nothing moves.
func (l *lull) left() time.Duration {
	patience := mute
	if l.spoke.Load() {
		patience = quiet
	}
	return patience - time.Since(time.Unix(0, l.moved.Load()))
}

// look is the timer's: it puts the stream to sleep, or looks again later.
func (l *lull) look() {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	if l.timer == nil {
		return
	}
	l.asleep.Store(true) // from here on stir waits for us, so that nothing it has to say is missed
	if left := l.left(); left > 0 {
		l.asleep.Store(false)
		l.timer.Reset(left)
		return
	}
	l.guests.rest(l.conn)
}

// stir says that something moves, up from the client or down to it.
func (l *lull) stir(up bool) {
	if up && !l.spoke.Load() {
		l.spoke.Store(true)
	}
	l.moved.Store(time.Now().UnixNano())
	if !l.asleep.Load() {
		return
	}
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	if l.timer != nil && l.asleep.Load() {
		l.asleep.Store(false)
		l.guests.rouse(l.conn)
		l.timer.Reset(l.left())
	}
}

// end forgets the stream.
func (l *lull) end() {
	l.guests.mu.Lock()
	defer l.guests.mu.Unlock()
	l.timer.Stop()
	l.timer = nil
}
