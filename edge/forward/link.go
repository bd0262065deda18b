package forward

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"landfall"
)

// How links treat their connections.
const (
	maxDials    = 64                     // at once for requests; the others wait for a turn or a spare
	dialTimeout = 5 * time.Second        // the longest way over the mesh, and a lost packet
	spareAge    = 30 * time.Second       // a spare is replaced after about that: it proves that dialling still works
	settled     = time.Second            // a spare that dies sooner counts as a failed dial
	backoffMin  = 100 * time.Millisecond // after a first failed dial
	backoffMax  = 2 * time.Second        // an origin that is back is noticed within about that
)

// link is everything about one target: the connections that wait, the
// connections in use, and whether it can be reached.
//
//	keep: dial -> spare --(taken)--> carry: request, idle, request, ... -> closed
//	       ^        |
//	       +--------+ peer closed, or old
type link struct {
	target landfall.Target
	dialer Dialer
	dials  *dials
	ended  context.Context
	carry  *http.Transport
	ready  chan *spare // unbuffered: each keeper offers the spare it holds

	dialling chan struct{} // holds one for each dial under way for a request

	failing atomic.Int64 // since when nothing has come of dialling, Unix nanoseconds; 0: it works
	waiting waiting
}

func newLink(f *Forwarder, t landfall.Target) *link {
	l := &link{target: t, dialer: f.cfg.Dialer, dials: &f.dials, ended: f.ended, ready: make(chan *spare), dialling: make(chan struct{}, maxDials)}
	l.waiting.init()
	l.carry = newTransport(f.cfg.HeaderTimeout)
	l.carry.DialContext = l.connect
	return l
}

// newTransport speaks HTTP/1.1, which carries upgrades; the mesh encrypts.
func newTransport(headers time.Duration) *http.Transport {
	t := &http.Transport{
		DisableCompression:     true, // bytes pass as they are
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        KeepIdle,
		ResponseHeaderTimeout:  headers,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// dialError says that a request was never sent.
type dialError struct {
	to  string
	err error
}

func (e *dialError) Error() string { return "dial " + e.to + ": " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// asker is the key to the context of the request that wants a connection.
// The context that the transport dials with outlives it.
type asker struct{}

// connect is the transport's DialContext. A dial that has begun goes on when
// its request is cancelled, and the transport keeps the connection; a dial
// that has not begun is then given up.
func (l *link) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	if c := l.take(); c != nil {
		l.dials.spare.Add(1)
		return c, nil
	}
	asking, ok := ctx.Value(asker{}).(context.Context)
	if !ok {
		asking = ctx
	}
	waiting, cancel := context.WithTimeout(asking, dialTimeout)
	defer cancel()
	defer context.AfterFunc(l.ended, cancel)()
	for waiting.Err() == nil {
		select {
		case l.dialling <- struct{}{}:
			defer func() { <-l.dialling }()
			if err := waiting.Err(); err != nil {
				return nil, l.unsent(err)
			}
			l.dials.direct.Add(1)
			return l.dial(ctx)
		case s := <-l.ready:
			if s.claim() {
				l.dials.spare.Add(1)
				return s.conn, nil
			}
		case <-waiting.Done():
		}
	}
	return nil, l.unsent(waiting.Err())
}

// unsent is the error of a dial.
func (l *link) unsent(err error) error {
	return &dialError{fmt.Sprintf("%s at %s", l.target.Service, l.target.Node), err}
}

func (l *link) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(l.ended, cancel)()
	c, err := l.dialer.Dial(ctx, l.target)
	if err != nil {
		l.failed(ctx)
		if lostPath(err) {
			l.lost(err)
		}
		return nil, l.unsent(err)
	}
	return c, nil
}

// works notes that the target answers.
func (l *link) works() {
	if l.failing.Load() != 0 {
		l.failing.Store(0)
	}
}

// failed notes that the target could not be dialled; whoever gave up by
// himself has learned nothing.
func (l *link) failed(ctx context.Context) {
	if ctx.Err() == context.Canceled {
		return
	}
	l.dials.failed.Add(1)
	l.failing.CompareAndSwap(0, time.Now().UnixNano())
}

func (l *link) down() (since time.Time, yes bool) {
	at := l.failing.Load()
	return time.Unix(0, at), at != 0
}

// take hands out a spare that is alive, or nil.
func (l *link) take() net.Conn {
	for {
		select {
		case s := <-l.ready:
			if s.claim() {
				return s.conn
			}
		default:
			return nil
		}
	}
}

// keep holds one spare at a time until ctx ends.
func (l *link) keep(ctx context.Context) {
	pause := backoffMin
	for ctx.Err() == nil {
		if l.offer(ctx) {
			pause = backoffMin
			continue
		}
		wait(ctx, pause/2+rand.N(pause))
		pause = min(2*pause, backoffMax)
	}
}

// offer dials a spare and holds it until it is taken, old or dead. It reports
// whether the next may be dialled at once.
func (l *link) offer(ctx context.Context) bool {
	c, err := l.dial(ctx)
	if err != nil {
		return false
	}
	s := watch(c)
	born := time.Now()
	l.dials.ready.Add(1)
	defer l.dials.ready.Add(-1)
	if l.hold(ctx, s) {
		return true
	}
	s.close()
	if ctx.Err() == nil && time.Since(born) < settled {
		l.failed(ctx)
		return false
	}
	return true
}

// hold reports whether the spare was taken; otherwise it is of no more use.
func (l *link) hold(ctx context.Context, s *spare) bool {
	firm := time.NewTimer(settled)
	defer firm.Stop()
	old := time.NewTimer(spareAge*3/4 + rand.N(spareAge/2))
	defer old.Stop()
	stale := l.waiting.stale()
	for {
		select {
		case l.ready <- s:
			return true
		case <-firm.C:
			l.works()
		case <-old.C:
			return false
		case <-s.dead:
			return false
		case <-stale:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
