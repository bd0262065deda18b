package backend

import (
	"context"
	"fmt"

	"landfall/origin/chat"
	"landfall/origin/wire"
)

// A feed keeps the newest events of a flow in memory while somebody is
// subscribed to it, each encoded once for all of them.
const (
	feedSlots = 128
	maxCached = 8 << 10  // bytes; larger events are read from the log again
	maxBatch  = 64 << 10 // bytes that one Poll returns, about
)

// Delivery is an event on its way to a subscriber.
type Delivery struct {
	Event chat.Event
	JSON  []byte // its public form; not to be changed
}

// feed is the end of a flow's log. It is guarded by Backend.mu.
type feed struct {
	flow   chat.FlowID
	head   chat.Seq            // the newest event that is known of
	edits  int                 // how often the log changed what is in the slots
	slots  [feedSlots]Delivery // event n is in slot n mod feedSlots, or it is not here
	subs   map[*Subscription]struct{}
	cancel func() // ends the subscription to the bus
}

func (f *feed) slot(seq chat.Seq) *Delivery { return &f.slots[seq%feedSlots] }

// keep puts an event into its slot, unless it is large or a newer one is there.
func (f *feed) keep(d Delivery) {
	if s := f.slot(d.Event.Seq); len(d.JSON) <= maxCached && s.Event.Seq < d.Event.Seq {
		*s = d
	}
}

// recent are the events after seq that are in memory, up to a batch.
func (f *feed) recent(seq chat.Seq) (batch []Delivery, size int) {
	for seq++; seq <= f.head && size < maxBatch; seq++ {
		d := f.slot(seq)
		if d.Event.Seq != seq {
			break
		}
		batch, size = append(batch, *d), size+len(d.JSON)
	}
	return batch, size
}

// deliver encodes an event for subscribers.
func deliver(e chat.Event) (Delivery, error) {
	b, err := wire.JSON(wire.NewMessage(e))
	if err != nil {
		return Delivery{}, fmt.Errorf("flow %s: encode event %d: %w", e.Flow, e.Seq, err)
	}
	return Delivery{Event: e, JSON: b}, nil
}

// hear takes a signal: from our own commits, with the event, and from the
// bus. It never blocks.
func (b *Backend) hear(s chat.Signal, e *chat.Event) {
	var d Delivery
	if e != nil {
		d, _ = deliver(*e) // a fault is met again, and reported, by who reads the log
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.feeds[s.Flow]
	if f == nil {
		return
	}
	if d.JSON != nil {
		f.keep(d)
	}
	f.head = max(f.head, s.Head)
	for sub := range f.subs {
		sub.hear(s, len(d.JSON))
	}
}

// after returns events of a flow that follow seq, from memory or else from
// the log, and whether there are more.
func (b *Backend) after(ctx context.Context, f *feed, seq chat.Seq) (batch []Delivery, size int, more bool, err error) {
	b.mu.Lock()
	batch, size = f.recent(seq)
	head, edits := f.head, f.edits
	b.mu.Unlock()
	if seq >= head {
		return nil, 0, false, nil
	}
	if len(batch) == 0 {
		if batch, size, err = b.load(ctx, f.flow, seq); err != nil || len(batch) == 0 {
			return nil, 0, false, err
		}
		b.mu.Lock()
		for i := 0; i < len(batch) && f.edits == edits; i++ {
			f.keep(batch[i])
		}
		b.mu.Unlock()
	}
	return batch, size, batch[len(batch)-1].Event.Seq < head, nil
}

// load reads events from the log, up to a batch.
func (b *Backend) load(ctx context.Context, flow chat.FlowID, seq chat.Seq) (batch []Delivery, size int, err error) {
	events, err := b.log.Read(ctx, flow, chat.Span{After: seq, Limit: feedSlots})
	if err != nil {
		return nil, 0, err
	}
	for _, e := range events {
		d, err := deliver(e)
		if err != nil {
			return nil, 0, err
		}
		if batch, size = append(batch, d), size+len(d.JSON); size >= maxBatch {
			break
		}
	}
	return batch, size, nil
}

// refresh looks in the log for events whose hints were lost, and wakes the
// readers whose turn it is to be looked at.
func (b *Backend) refresh(ctx context.Context) error {
	b.mu.Lock()
	flows := make([]chat.FlowID, 0, len(b.feeds))
	for flow, f := range b.feeds {
		if flow != (chat.FlowID{}) {
			flows = append(flows, flow)
			continue
		}
		for s := range f.subs {
			if s.due() {
				s.wake()
			}
		}
	}
	b.mu.Unlock()
	heads, err := b.log.Heads(ctx, flows)
	if err != nil {
		return err
	}
	for flow, head := range heads {
		b.hear(chat.Signal{Flow: flow, Head: head}, nil)
	}
	return nil
}

// forget drops an event from memory, because the log has changed it.
func (b *Backend) forget(flow chat.FlowID, seq chat.Seq) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.feeds[flow]
	if f == nil {
		return
	}
	f.edits++
	if f.slot(seq).Event.Seq == seq {
		*f.slot(seq) = Delivery{}
	}
}
