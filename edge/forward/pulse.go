package forward

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// How requests find out that they wait in vain. A connection that is open
// says nothing of a path that is gone: TCP would hope on for a minute.
const (
	doubt = time.Second // the head of an answer may take that long before the link asks whether its target is still there, and how often it asks
	grief = time.Second // a path that has been gone for that long does not come back in time for who waits
)

// waiting are the requests of a link that wait for the heads of their answers.
type waiting struct {
	doubts chan struct{} // tells pulse that somebody has waited for long

	mu  sync.Mutex // guards what follows
	all map[*waiter]struct{}
	old chan struct{} // closed when the spares of the link go over a path that is gone
}

type waiter struct {
	since time.Time
	lose  func(why error)
}

func (w *waiting) init() {
	w.doubts = make(chan struct{}, 1)
	w.all = make(map[*waiter]struct{})
	w.old = make(chan struct{})
}

// stale is closed when what is dialled by now is of no more use.
func (w *waiting) stale() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.old
}

// add notes a request until leave is called.
func (w *waiting) add(lose func(why error)) (leave func()) {
	me := &waiter{time.Now(), lose}
	w.mu.Lock()
	w.all[me] = struct{}{}
	w.mu.Unlock()
	wonder := time.AfterFunc(doubt, func() {
		select {
		case w.doubts <- struct{}{}:
		default: // pulse knows already
		}
	})
	return func() {
		wonder.Stop()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, me)
	}
}

// long reports whether anybody has waited for long.
func (w *waiting) long(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for me := range w.all {
		if now.Sub(me.since) >= doubt {
			return true
		}
	}
	return false
}

// roundTrip is the transport's, but does not wait in vain.
func (l *link) roundTrip(out *http.Request) (*http.Response, error) {
	ctx, lose := context.WithCancelCause(out.Context())
	leave := l.waiting.add(lose)
	res, err := l.carry.RoundTrip(out.WithContext(ctx))
	leave()
	if err == nil {
		return res, nil // ctx is the body's as well, and ends with the request
	}
	if out.Context().Err() == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	lose(nil)
	return nil, err
}

// pulse asks, while requests wait for long, whether the target is still
// there: the mesh says at once if it is not.
func (l *link) pulse(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.waiting.doubts:
		}
		for ctx.Err() == nil && l.waiting.long(time.Now()) {
			if c, err := l.dial(ctx); err == nil {
				l.works()
				c.Close()
			}
			wait(ctx, doubt)
		}
	}
}

// lost lets go of what goes over a path that is gone: of idle connections at
// once, of requests only when the path stays away.
func (l *link) lost(why error) {
	l.carry.CloseIdleConnections()
	now := time.Now()
	since, _ := l.down()
	w := &l.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.old)
	w.old = make(chan struct{})
	if now.Sub(since) < grief {
		return
	}
	for me := range w.all {
		if now.Sub(me.since) >= doubt {
			me.lose(why)
		}
	}
}
