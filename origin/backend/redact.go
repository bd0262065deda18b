package backend

import (
	"context"

	"landfall/origin/chat"
)

// redact takes the content of a deleted message out of the log: with all the
// forms that edits gave it, and with what comments quote of it.
func (b *Backend) redact(ctx context.Context, deletion chat.Event, message chat.Seq) error {
	flow := deletion.Flow
	if err := b.rewrite(ctx, flow, message, chat.Event.Redacted); err != nil {
		return err
	}
	span := chat.Span{Thread: deletion.Thread, Kinds: []chat.Kind{chat.KindComment}, After: message, Limit: scan}
	for {
		comments, err := b.log.Read(ctx, flow, span)
		if err != nil || len(comments) == 0 {
			return err
		}
		for _, c := range comments {
			if span.After = c.Seq; !c.CommentsOn(message) {
				continue
			}
			if err := b.rewrite(ctx, flow, c.Seq, chat.Event.Untitled); err != nil {
				return err
			}
		}
	}
}

// rewrite gives a message and its edits another form.
func (b *Backend) rewrite(ctx context.Context, flow chat.FlowID, message chat.Seq, form func(chat.Event) chat.Event) error {
	changes, err := b.log.Changes(ctx, flow, []chat.Seq{message})
	if err != nil {
		return err
	}
	affected := []chat.Seq{message}
	for _, c := range changes {
		if c.Kind == chat.KindEdit {
			affected = append(affected, c.Seq)
		}
	}
	for _, seq := range affected {
		if err := b.log.Redact(ctx, flow, seq, form); err != nil {
			return err
		}
		b.forget(flow, seq)
	}
	return nil
}
