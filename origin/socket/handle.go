package socket

import (
	"context"
	"errors"
	"time"

	"landfall/origin/chat"
	"landfall/origin/wire"
)

// typingEvery is how often typing is passed on at most; the rest is dropped.
const typingEvery = time.Second

// handle does what a frame asks for.
func (c *conn) handle(ctx context.Context, f frame) {
	var err error
	switch f.T {
	case "send":
		c.send(ctx, f)
		return
	case "typing":
		err = c.typing(ctx, f)
	case "seen":
		err = c.seen(ctx, f)
	default:
		err = &faulty{"frames of this type are not known"}
	}
	if err != nil {
		p := c.problem(err)
		c.reply(ctx, errorFrame{T: "error", Message: p.Message, Errors: p.Errors})
	}
}

// send posts a message and acknowledges it once it is committed.
func (c *conn) send(ctx context.Context, f frame) {
	flow, err := c.enter(ctx, f, c.backend.Write)
	var m chat.Event
	if err == nil {
		m, _, err = c.backend.Post(ctx, f.draft(flow, c.grant.User.ID))
	}
	if err != nil {
		p := c.problem(err)
		c.reply(ctx, nackFrame{T: "nack", UUID: f.UUID, Message: p.Message, Errors: p.Errors})
		return
	}
	c.reply(ctx, ackFrame{T: "ack", UUID: m.UUID, ID: m.Seq})
}

func (c *conn) typing(ctx context.Context, f frame) error {
	now := time.Now()
	if now.Sub(c.typed) < typingEvery {
		return nil
	}
	flow, err := c.enter(ctx, f, c.backend.Enter)
	if err != nil {
		return err
	}
	c.typed = now
	return c.backend.Type(ctx, flow, c.grant.User.ID)
}

func (c *conn) seen(ctx context.Context, f frame) error {
	flow, err := c.enter(ctx, f, c.backend.Enter)
	if err != nil {
		return err
	}
	return c.backend.Seen(ctx, flow, c.grant.User.ID, f.ID)
}

// enter finds the flow that a frame names, to read it or to write to it, for a
// client that is still let in.
func (c *conn) enter(ctx context.Context, f frame, find func(context.Context, chat.UserID, chat.FlowRef) (chat.Flow, error)) (chat.FlowID, error) {
	if err := c.sub.Verify(ctx); err != nil {
		return chat.FlowID{}, err
	}
	ref, err := chat.ParseFlowRef(f.Flow)
	if err != nil {
		return chat.FlowID{}, chat.Invalid{"flow": {"must be the id of a flow, or organization/flow"}}
	}
	flow, err := find(ctx, c.grant.User.ID, ref)
	return flow.ID, err
}

// problem is what the client is told of an error; causes of ours are logged.
func (c *conn) problem(err error) *wire.Problem {
	if fault, ok := errors.AsType[*faulty](err); ok {
		return &wire.Problem{Message: fault.Error()}
	}
	p, known := wire.ProblemOf(err)
	if !known {
		c.logger.Error("frame failed", "err", err)
	}
	return p
}

// reply hands a frame to the writer. A client that does not read its answers
// is not read from either.
func (c *conn) reply(ctx context.Context, v any) {
	select {
	case c.out <- encode(v):
	case <-ctx.Done():
	}
}
