package backend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"landfall/origin/chat"
)

// worker remembers what derived work there may be. What a former process left
// undone is found by looking at all flows once.
type worker struct {
	ready chan struct{}            // holds a token when there may be work
	marks map[chat.FlowID]chat.Seq // as they are in the accounts; nil: not looked yet
	done  map[chat.FlowID]chat.Seq // at or after the marks

	mu    sync.Mutex
	flows map[chat.FlowID]struct{} // with new events
}

func newWorker() *worker {
	w := &worker{ready: make(chan struct{}, 1), flows: map[chat.FlowID]struct{}{}}
	w.wake()
	return w
}

func (w *worker) wake() {
	select {
	case w.ready <- struct{}{}:
	default: // it is about to look anyway
	}
}

// flow says that a flow has a new event.
func (w *worker) flow(f chat.FlowID) {
	w.mu.Lock()
	w.flows[f] = struct{}{}
	w.mu.Unlock()
	w.wake()
}

// take returns the flows with new events.
func (w *worker) take() []chat.FlowID {
	w.mu.Lock()
	defer w.mu.Unlock()
	flows := slices.Collect(maps.Keys(w.flows))
	clear(w.flows)
	return flows
}

// derive does what is waiting: announcements of the accounts go into the log,
// and the outboxes of the log's events are worked through. Every step may be
// done twice without harm, so that a crash in between needs no repair.
func (b *Backend) derive(ctx context.Context) error {
	if err := b.announceAll(ctx); err != nil {
		return err
	}
	flows, err := b.undone(ctx)
	if err != nil {
		return err
	}
	heads, err := b.log.Heads(ctx, flows)
	if err == nil {
		err = b.deriveAll(ctx, heads)
	}
	if err != nil {
		b.worker.marks = nil // begin anew from what the accounts have
	}
	return err
}

func (b *Backend) announceAll(ctx context.Context) error {
	for {
		some, err := b.accounts.Announcements(ctx, scan)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, a := range some {
			if err := b.announce(ctx, a); err != nil {
				return fmt.Errorf("flow %s: announce %s: %w", a.Flow, a.UUID, err)
			}
		}
	}
}

// undone returns the flows to look at: those with new events, or all where
// the marks have to be read first.
func (b *Backend) undone(ctx context.Context) ([]chat.FlowID, error) {
	w := b.worker
	flows := w.take()
	if w.marks != nil {
		return flows, nil
	}
	marks, err := b.accounts.Derived(ctx)
	if err != nil {
		return nil, err
	}
	w.marks, w.done = marks, maps.Clone(marks)
	return slices.Collect(maps.Keys(marks)), nil
}

func (b *Backend) deriveAll(ctx context.Context, heads map[chat.FlowID]chat.Seq) error {
	for flow, head := range heads {
		for b.worker.done[flow] < head {
			if err := b.deriveSome(ctx, flow); err != nil {
				return fmt.Errorf("flow %s: work through outbox: %w", flow, err)
			}
		}
	}
	return nil
}

// deriveSome works through the outboxes of a flow's next events. The mark is
// moved only when there was work, or a long way to go over again.
func (b *Backend) deriveSome(ctx context.Context, flow chat.FlowID) error {
	w := b.worker
	events, err := b.log.Read(ctx, flow, chat.Span{After: w.done[flow], Limit: scan})
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return fmt.Errorf("log has nothing after %d", w.done[flow])
	}
	mentions, worked, err := b.workThrough(ctx, events)
	if err != nil {
		return err
	}
	w.done[flow] = events[len(events)-1].Seq
	if !worked && w.done[flow]-w.marks[flow] < scan {
		return nil
	}
	moved, err := b.accounts.Derive(ctx, flow, w.marks[flow], w.done[flow], mentions)
	if err == nil && !moved {
		err = fmt.Errorf("mark is no longer at %d: another process works here too", w.marks[flow])
	}
	w.marks[flow] = w.done[flow]
	return err
}

// workThrough does the work of events, but for mentions, which it returns.
func (b *Backend) workThrough(ctx context.Context, events []chat.Event) (mentions []chat.Mention, worked bool, err error) {
	for _, e := range events {
		for _, w := range e.Outbox {
			worked = true
			switch w.Do {
			case chat.DoMention:
				mentions = append(mentions, chat.Mention{Seq: e.Seq, User: w.User, By: e.By})
			case chat.DoRedact:
				if err := b.redact(ctx, e, w.Seq); err != nil {
					return nil, false, err
				}
			}
		}
	}
	return mentions, worked, nil
}
