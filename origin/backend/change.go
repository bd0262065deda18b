package backend

import (
	"context"

	"landfall/origin/chat"
)

// Edit gives a message of the user's own a new text.
func (b *Backend) Edit(ctx context.Context, flow chat.FlowID, seq chat.Seq, by chat.UserID, text string) error {
	if err := chat.CheckContent(text); err != nil {
		return err
	}
	c, err := b.own(ctx, flow, seq, by)
	if err != nil {
		return err
	}
	_, _, err = b.append(ctx, c.Edit(text))
	return err
}

// Retag gives a message exactly these tags; every member may.
func (b *Backend) Retag(ctx context.Context, flow chat.FlowID, seq chat.Seq, by chat.UserID, tags []string) error {
	if err := chat.CheckTags(tags); err != nil {
		return err
	}
	c, err := b.change(ctx, flow, seq, by)
	if err != nil {
		return err
	}
	if !c.Message.Kind.Postable() || c.Message.Deleted {
		return chat.ErrForbidden
	}
	e, differs := c.Retag(tags)
	if !differs {
		return nil
	}
	_, _, err = b.append(ctx, e)
	return err
}

// Delete takes away the content of a message of the user's own: from the
// messages as they stand once it returns, from the log itself soon after.
func (b *Backend) Delete(ctx context.Context, flow chat.FlowID, seq chat.Seq, by chat.UserID) error {
	c, err := b.own(ctx, flow, seq, by)
	if err != nil {
		return err
	}
	_, _, err = b.append(ctx, c.Delete())
	return err
}

// own begins a change that only the author of a message may make.
func (b *Backend) own(ctx context.Context, flow chat.FlowID, seq chat.Seq, by chat.UserID) (chat.Change, error) {
	c, err := b.change(ctx, flow, seq, by)
	if err == nil && !chat.MayEdit(c.Message, by) {
		err = chat.ErrForbidden
	}
	return c, err
}

func (b *Backend) change(ctx context.Context, flow chat.FlowID, seq chat.Seq, by chat.UserID) (chat.Change, error) {
	m, err := b.Message(ctx, flow, seq)
	return chat.Change{Message: m, By: by, UUID: newUUID(), Sent: b.now()}, err
}
