package backend_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landfall/origin/backend"
	"landfall/origin/chat"
)

var errSignedOut = errors.New("signed out")

// let subscribes as Bob, who is let in until the test says otherwise.
func (d *data) let(t *testing.T, b *backend.Backend) (s *backend.Subscription, out *atomic.Bool) {
	t.Helper()
	out = new(atomic.Bool)
	s, err := b.Subscribe(t.Context(), backend.Reader{User: d.bob.ID, Flows: []chat.FlowID{flow}, Holds: func(context.Context) error {
		if out.Load() {
			return errSignedOut
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Poll(); err != nil {
		t.Fatal(err)
	}
	return s, out
}

func TestWhoIsNoLongerLetInGetsNothingMore(t *testing.T) {
	d := newData(t)
	here, there := d.idle(t, nil), d.idle(t, nil)
	s, out := d.let(t, here)
	stays, _ := d.let(t, here)
	out.Store(true)
	there.Doubt(t.Context(), d.bob.ID) // by another process
	post(t, there, draft(d.ann, "u", "secret"))
	if got, err := s.Poll(); len(got) != 0 || !errors.Is(err, errSignedOut) {
		t.Errorf("got %d events, %v", len(got), err)
	}
	if err := context.Cause(s.Context()); !errors.Is(err, errSignedOut) {
		t.Errorf("the subscription ended with %v", err)
	}
	if got := collect(t, stays, upTo(1)); len(got) != 1 {
		t.Errorf("who is let in still got %d events", len(got))
	}
}

// racingLog lets something happen when a reader is about to read.
type racingLog struct {
	chat.Log
	before func()
}

func (l *racingLog) Read(ctx context.Context, f chat.FlowID, s chat.Span) ([]chat.Event, error) {
	if before := l.before; before != nil {
		l.before = nil
		before()
	}
	return l.Log.Read(ctx, f, s)
}

// TestWhoMustGoWhileReadingGetsNothingMore takes the grant away, and posts,
// in the middle of a Poll.
func TestWhoMustGoWhileReadingGetsNothingMore(t *testing.T) {
	d := newData(t)
	log := &racingLog{Log: d.log}
	here, there := d.idle(t, func(c *backend.Config) { c.Log = log }), d.idle(t, nil)
	s, out := d.let(t, here)
	post(t, there, draft(d.ann, "u", "hello"))
	log.before = func() {
		out.Store(true)
		there.Doubt(t.Context(), d.bob.ID)
		post(t, there, draft(d.ann, "v", "secret"))
	}
	if got, err := s.Poll(); len(got) != 0 || !errors.Is(err, errSignedOut) {
		t.Errorf("got %d events, %v", len(got), err)
	}
}

// TestReadersAreLookedAtNowAndThen takes away what a reader has without
// telling anybody, as somebody does who works on the database.
func TestReadersAreLookedAtNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newData(t)
		hidden := &hiddenFlows{Accounts: d.accounts}
		b := d.backend(t, func(c *backend.Config) { c.Accounts, c.Poll = hidden, time.Second })
		for name, take := range map[string]func(out *atomic.Bool){
			"credentials": func(out *atomic.Bool) { out.Store(true) },
			"the flow":    func(*atomic.Bool) { hidden.all.Store(true) },
		} {
			s, out := d.let(t, b)
			take(out)
			start := time.Now()
			for {
				<-s.Ready()
				if _, err := s.Poll(); err != nil {
					break
				}
			}
			if d := time.Since(start); d > 40*time.Second {
				t.Errorf("without %s: read on for %v", name, d)
			}
			s.Close()
			hidden.all.Store(false)
		}
	})
}

// hiddenFlows can take all flows away.
type hiddenFlows struct {
	chat.Accounts
	all atomic.Bool
}

func (h *hiddenFlows) Standings(ctx context.Context, user chat.UserID) ([]chat.Standing, error) {
	if h.all.Load() {
		return nil, nil
	}
	return h.Accounts.Standings(ctx, user)
}
