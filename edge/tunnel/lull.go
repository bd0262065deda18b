package tunnel

import (
	"sync"
	"sync/atomic"
	"time"
)

// When a stream is quiet, so that it may be shed where room is short. Both
// count from what moved last, either way.
const (
	Mute  = 30 * time.Second // while the client has said nothing
	Quiet = 15 * time.Minute // once it has: pools of connections rest
)

// Lull finds out when a stream is quiet. Made by Follow.
//
//	Mute or Quiet is over
//	awake ---------------------> asleep: rest was called
//	  ^                             |
//	  +-----------------------------+
//	  something moves: rouse is called
type Lull struct {
	mu          sync.Locker // the owner's
	rest, rouse func()
	moved       atomic.Int64 // when something did, Unix nanoseconds
	spoke       atomic.Bool  // the client has
	asleep      atomic.Bool  // set before moved is looked at for the last time; changed under mu

	timer *time.Timer // guarded by mu; nil: the stream has ended
}

// Follow begins with a stream that is awake. rest and rouse are called with mu
// held, in turns; mu is not to be held by who calls Follow and the methods.
func Follow(mu sync.Locker, rest, rouse func()) *Lull {
	l := &Lull{mu: mu, rest: rest, rouse: rouse}
	l.moved.Store(time.Now().UnixNano())
	mu.Lock()
	defer mu.Unlock()
	l.timer = time.AfterFunc(Mute, l.look)
	return l
}

// left is how long from now the stream will be quiet if nothing moves.
func (l *Lull) left() time.Duration {
	patience := Mute
	if l.spoke.Load() {
		patience = Quiet
	}
	return patience - time.Since(time.Unix(0, l.moved.Load()))
}

// look is the timer's: it puts the stream to sleep, or looks again later.
func (l *Lull) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil || l.asleep.Load() {
		return
	}
	l.asleep.Store(true) // from here on Stir waits for us, so that nothing it has to say is missed
	if left := l.left(); left > 0 {
		l.asleep.Store(false)
		l.timer.Reset(left)
		return
	}
	l.rest()
}

// Stir says that something moves, up from the client or down to it. It is
// what Splice calls.
func (l *Lull) Stir(up bool) {
	if up && !l.spoke.Load() {
		l.spoke.Store(true)
	}
	l.moved.Store(time.Now().UnixNano())
	if !l.asleep.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil && l.asleep.Load() {
		l.asleep.Store(false)
		l.rouse()
		l.timer.Reset(l.left())
	}
}

// End forgets the stream; nothing is called any more.
func (l *Lull) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	l.timer = nil
}
