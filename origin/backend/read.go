package backend

import (
	"context"
	"slices"

	"landfall/origin/chat"
)

// scan is how many events are read at a time where not all of them match.
const scan = 256

// Limits of searches, which read much to find little.
const (
	searching  = 2      // at once, so that others find a reader free
	maxScanned = 10_000 // events that one goes through
)

// Message returns one message as it stands.
func (b *Backend) Message(ctx context.Context, flow chat.FlowID, seq chat.Seq) (chat.Event, error) {
	events, err := b.today(ctx, flow, chat.Span{After: seq - 1, Before: seq + 1, Limit: 1})
	if err != nil {
		return chat.Event{}, err
	}
	if len(events) == 0 {
		return chat.Event{}, chat.ErrNotFound
	}
	return events[0], nil
}

// Messages returns the messages that q asks for as they stand, in ascending
// order.
func (b *Backend) Messages(ctx context.Context, q chat.Query) ([]chat.Event, error) {
	if q.Limit == 0 {
		return nil, nil
	}
	span := chat.Span{After: q.Since, Before: q.Until, Kinds: q.Kinds, Thread: q.Thread, Newest: !q.Oldest, Limit: q.Limit}
	if q.Whole() {
		return b.today(ctx, q.Flow, span)
	}
	return b.search(ctx, q, span)
}

// search goes through the log in the direction of q, because what a message
// has in tags and words depends on later changes. It ends after maxScanned
// events with what it has found.
func (b *Backend) search(ctx context.Context, q chat.Query, span chat.Span) ([]chat.Event, error) {
	select {
	case b.searches <- struct{}{}:
		defer func() { <-b.searches }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var found []chat.Event
	span.Limit = scan
	for scanned := 0; len(found) < q.Skip+q.Limit && scanned < maxScanned; scanned += scan {
		events, err := b.today(ctx, q.Flow, span)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			break
		}
		if span.Newest {
			span.Before = events[0].Seq
			slices.Reverse(events)
		} else {
			span.After = events[len(events)-1].Seq
		}
		found = append(found, slices.DeleteFunc(events, func(e chat.Event) bool { return !q.Match(e) })...)
	}
	found = found[min(q.Skip, len(found)):]
	found = found[:min(q.Limit, len(found))]
	if span.Newest {
		slices.Reverse(found)
	}
	return found, nil
}

// today reads a part of the log and brings it up to date.
func (b *Backend) today(ctx context.Context, flow chat.FlowID, span chat.Span) ([]chat.Event, error) {
	events, err := b.log.Read(ctx, flow, span)
	if err != nil {
		return nil, err
	}
	var targets []chat.Seq
	for _, e := range events {
		if e.Kind.Postable() {
			targets = append(targets, e.Seq)
		}
	}
	if len(targets) == 0 {
		return events, nil
	}
	changes, err := b.log.Changes(ctx, flow, targets)
	if err != nil {
		return nil, err
	}
	return chat.Fold(events, changes), nil
}
