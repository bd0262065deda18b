package backend

import (
	"context"
	"errors"
	"slices"
	"time"

	"landfall/origin/chat"
)

// ErrSlow says that a subscriber did not come for its events in time and was
// cut. It has lost nothing: its cursor leads on from where it was.
var ErrSlow = errors.New("subscriber is too slow: resume from the cursor")

// maxEphemeral is how many ephemeral events wait for a subscriber; older ones
// give way.
const maxEphemeral = 32

// Subscription is one reader's place in some flows. One goroutine at a time
// may use it.
//
// Its queue is the log: the subscription only knows up to where the reader
// is. A reader who does not come for more while Config.Queue bytes arrive is
// cut.
type Subscription struct {
	b      *Backend
	reader Reader
	ctx    context.Context
	cancel context.CancelCauseFunc
	ready  chan struct{} // holds a token when Poll may have something
	feeds  []*feed       // of the places, and of what concerns users
	places []*place
	gap    chat.Seq
	closed bool

	// Guarded by Backend.mu.
	doubt     bool      // the reader has to be looked at again
	checked   time.Time // when that was last done
	pending   int       // bytes that arrived since the last Poll
	ephemeral []chat.Event
}

// place is where the reader is in one flow.
type place struct {
	feed *feed
	at   chat.Seq // everything up to here was returned by Poll
}

// Subscribe begins to follow flows, each from where the cursor says, or from
// now on where it says nothing. The caller must Close the subscription.
func (b *Backend) Subscribe(ctx context.Context, r Reader) (*Subscription, error) {
	s := &Subscription{b: b, reader: r, ready: make(chan struct{}, 1), doubt: true}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	// First subscribe, then look at the log: what is committed in between is
	// seen twice rather than never.
	s.feeds = append(s.feeds, b.attach(chat.FlowID{}, s))
	seen := make(map[chat.FlowID]bool, len(r.Flows))
	for _, flow := range r.Flows {
		if !seen[flow] {
			seen[flow] = true
			f := b.attach(flow, s)
			s.feeds, s.places = append(s.feeds, f), append(s.places, &place{feed: f})
		}
	}
	b.counters.subscribers.Add(1)
	heads, err := b.log.Heads(s.ctx, r.Flows)
	if err != nil {
		s.Close()
		return nil, err
	}
	for _, p := range s.places {
		head := heads[p.feed.flow]
		p.at = head
		if seq, ok := r.From[p.feed.flow]; ok {
			p.at = min(seq, head) // a reader cannot be ahead of the log
		}
		s.gap += head - p.at
		b.hear(chat.Signal{Flow: p.feed.flow, Head: head}, nil)
	}
	return s, nil
}

// attach puts a subscription on a flow's feed, and makes the feed for the
// first one.
func (b *Backend) attach(flow chat.FlowID, s *Subscription) *feed {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.feeds[flow]
	if f == nil {
		f = &feed{flow: flow, subs: map[*Subscription]struct{}{}}
		f.cancel = b.bus.Subscribe(flow, func(sig chat.Signal) { b.hear(sig, nil) })
		b.feeds[flow] = f
	}
	f.subs[s] = struct{}{}
	return f
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.cancel(context.Canceled)
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for _, f := range s.feeds {
		delete(f.subs, s)
		if len(f.subs) == 0 && s.b.feeds[f.flow] == f {
			f.cancel()
			delete(s.b.feeds, f.flow)
		}
	}
	if !s.closed {
		s.closed = true
		s.b.counters.subscribers.Add(-1)
	}
}

// hear notes news of a flow. Backend.mu is held.
func (s *Subscription) hear(sig chat.Signal, size int) {
	if sig.User != 0 {
		if sig.User == s.reader.User {
			s.doubt = true
			s.wake()
		}
		return
	}
	if sig.Ephemeral != nil {
		if len(s.ephemeral) == maxEphemeral {
			s.ephemeral = s.ephemeral[1:]
		}
		s.ephemeral = append(s.ephemeral, *sig.Ephemeral)
	}
	if s.pending += size; s.pending > s.b.queue && s.ctx.Err() == nil {
		s.b.counters.cut.Add(1)
		s.cancel(ErrSlow)
	}
	s.wake()
}

func (s *Subscription) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Context ends when the subscription does: its cause is ErrSlow when the
// reader was cut, and what was wrong when it is not let in any more.
func (s *Subscription) Context() context.Context { return s.ctx }

// Ready has a value when Poll may return something.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// Gap is how many events the reader had missed when it subscribed.
func (s *Subscription) Gap() int { return int(s.gap) }

// Cursor is where the reader is after the last Poll.
func (s *Subscription) Cursor() chat.Cursor {
	c := chat.Cursor{}
	for _, p := range s.places {
		c[p.feed.flow] = p.at
	}
	return c
}

// Poll returns what there is, perhaps nothing, and never waits for more. Of
// each flow, events come in order and each one once. Ephemeral events have
// no number and do not move the cursor.
func (s *Subscription) Poll() ([]Delivery, error) {
	if s.ctx.Err() != nil {
		return nil, context.Cause(s.ctx)
	}
	batch, err := s.gone()
	if err != nil {
		return nil, err
	}
	total := 0
	for i, p := range s.places {
		if total >= maxBatch {
			s.places = slices.Concat(s.places[i:], s.places[:i]) // these come first next time
			s.wake()
			break
		}
		part, size, more, err := s.b.after(s.ctx, p.feed, p.at)
		if err != nil {
			return nil, err
		}
		if len(part) > 0 {
			p.at = part[len(part)-1].Event.Seq
			batch, total = append(batch, part...), total+size
		}
		if more {
			s.wake()
		}
	}
	// Last, so that nothing goes out that was committed after the reader had
	// to go.
	if err := s.check(); err != nil {
		return nil, err
	}
	s.b.counters.delivered.Add(uint64(len(batch)))
	return batch, nil
}

// gone takes the ephemeral events, and notes that the reader has come.
func (s *Subscription) gone() ([]Delivery, error) {
	s.b.mu.Lock()
	events := s.ephemeral
	s.ephemeral, s.pending = nil, 0
	s.b.mu.Unlock()
	var batch []Delivery
	for _, e := range events {
		d, err := deliver(e)
		if err != nil {
			return nil, err
		}
		batch = append(batch, d)
	}
	return batch, nil
}

// Move moves a cursor past a delivery.
func (d Delivery) Move(c chat.Cursor) {
	if d.Event.Seq > 0 {
		c[d.Event.Flow] = d.Event.Seq
	}
}
