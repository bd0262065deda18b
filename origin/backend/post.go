package backend

import (
	"context"
	"errors"

	"landfall/origin/chat"
)

// Post commits a draft and returns the message. The same UUID from the same
// user returns the same message, for ever; added tells whether it is new.
// When Post returns without an error the message is on the disk.
func (b *Backend) Post(ctx context.Context, d chat.Draft) (message chat.Event, added bool, err error) {
	if err := d.Check(); err != nil {
		return chat.Event{}, false, err
	}
	if d.UUID == "" {
		d.UUID = newUUID()
	} else if e, err := b.log.Find(ctx, d.Flow, d.UUID); err == nil {
		// Before all else: what the draft refers to may be gone by now, and
		// the answer must still be the same.
		return b.repeat(e, d.By, d.Kind, 0)
	} else if !errors.Is(err, chat.ErrNotFound) {
		return chat.Event{}, false, err
	}
	s, err := b.setting(ctx, d)
	if err != nil {
		return chat.Event{}, false, err
	}
	return b.append(ctx, chat.Compose(d, s))
}

// append commits e, or returns what the log has under its UUID already. Once
// begun it is seen to its end, so that nobody is left untold of a commit.
func (b *Backend) append(ctx context.Context, e chat.Event) (chat.Event, bool, error) {
	if err := b.writes.Take(e.By); err != nil {
		return chat.Event{}, false, err
	}
	stored, added, err := b.log.Append(context.WithoutCancel(ctx), e)
	if err != nil {
		return chat.Event{}, false, err
	}
	if !added {
		return b.repeat(stored, e.By, e.Kind, e.Target)
	}
	if e.Target == 0 {
		b.counters.posted.Add(1)
	} else {
		b.counters.changed.Add(1)
	}
	b.committed(ctx, stored)
	return stored, true, nil
}

// repeat answers a request whose UUID is in the log: with what it did the
// first time, if it is the same request.
func (b *Backend) repeat(e chat.Event, by chat.UserID, kind chat.Kind, target chat.Seq) (chat.Event, bool, error) {
	if e.By != by || e.Kind != kind || e.Target != target {
		return chat.Event{}, false, chat.Invalid{"uuid": {"has already been taken"}}
	}
	b.counters.repeated.Add(1)
	return e, false, nil
}

// setting finds what a draft refers to.
func (b *Backend) setting(ctx context.Context, d chat.Draft) (chat.Setting, error) {
	s := chat.Setting{Sent: b.now()}
	var err error
	if s.Members, err = b.accounts.Members(ctx, d.Flow); err != nil {
		return s, err
	}
	if d.Parent > 0 {
		s.Parent, err = b.Message(ctx, d.Flow, d.Parent)
		if errors.Is(err, chat.ErrNotFound) || err == nil && !s.Parent.Kind.Postable() {
			return s, chat.Invalid{"message": {"does not exist"}}
		}
		return s, err
	}
	if d.Thread != "" {
		first, err := b.log.Read(ctx, d.Flow, chat.Span{Thread: d.Thread, Limit: 1})
		if err == nil && len(first) == 0 {
			err = chat.Invalid{"thread_id": {"does not exist"}}
		}
		return s, err
	}
	return s, nil
}

// announce appends what happened in the accounts. However often the same
// announcement comes, it is in the log once.
func (b *Backend) announce(ctx context.Context, a chat.Announcement) error {
	stored, added, err := b.log.Append(ctx, a.Event())
	if err != nil {
		return err
	}
	if added {
		b.committed(ctx, stored)
	}
	return b.accounts.Withdraw(ctx, a.UUID)
}

// Type tells the flow that the user is typing. It leaves no trace.
func (b *Backend) Type(ctx context.Context, flow chat.FlowID, user chat.UserID) error {
	e := chat.Typing(flow, user, b.now())
	return b.bus.Publish(ctx, chat.Signal{Flow: flow, Ephemeral: &e})
}

// Seen notes that the user has seen the flow up to an event.
func (b *Backend) Seen(ctx context.Context, flow chat.FlowID, user chat.UserID, seq chat.Seq) error {
	if err := b.writes.Take(user); err != nil {
		return err
	}
	heads, err := b.log.Heads(ctx, []chat.FlowID{flow})
	if err != nil {
		return err
	}
	return b.accounts.Seen(ctx, flow, user, min(seq, heads[flow]))
}

// JoinFlow makes a user a member of a flow and has it announced.
func (b *Backend) JoinFlow(ctx context.Context, flow chat.FlowID, user chat.UserID) error {
	defer b.worker.wake()
	return b.accounts.Join(ctx, flow, chat.Join{User: user, UUID: newUUID(), When: b.now()})
}

// AddFlow makes a flow with its founder as the first member.
func (b *Backend) AddFlow(ctx context.Context, f chat.Flow, founder chat.UserID) error {
	if err := b.writes.Take(founder); err != nil {
		return err
	}
	defer b.worker.wake()
	return b.accounts.AddFlow(ctx, f, chat.Join{User: founder, UUID: newUUID(), When: b.now()})
}
