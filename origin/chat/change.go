package chat

import (
	"encoding/json"
	"slices"
	"time"
)

// Change says who changes which message, and when.
type Change struct {
	Message Event // as it stands, from Fold
	By      UserID
	UUID    string
	Sent    time.Time
}

// event is the part that all changes share.
func (c Change) event(kind Kind, content change) Event {
	content.Message = c.Message.Seq
	return Event{
		Flow: c.Message.Flow, UUID: c.UUID, Kind: kind, App: "chat",
		User: c.By, By: c.By, Thread: c.Message.Thread,
		Target: c.Message.Seq, Content: encode(content), Sent: stamp(c.Sent),
	}
}

// Edit is the event that gives the message a new text.
func (c Change) Edit(text string) Event {
	return c.event(KindEdit, change{Updated: c.Message.withText(text)})
}

// Retag is the event that gives the message exactly these tags, and false
// when it has them already. Tags that tell clients what concerns whom stay as
// they are, but that users may take away their own mark of an unread mention.
func (c Change) Retag(tags []string) (Event, bool) {
	sent := NormalTags(tags)
	want := theirs(sent)
	for _, t := range c.Message.Tags {
		if ours(t) && (t != idTag(":unread:", c.By) || slices.Contains(sent, t)) {
			want = append(want, t)
		}
	}
	add := slices.DeleteFunc(slices.Clone(want), func(t string) bool { return slices.Contains(c.Message.Tags, t) })
	remove := slices.DeleteFunc(slices.Clone(c.Message.Tags), func(t string) bool { return slices.Contains(want, t) })
	if len(add) == 0 && len(remove) == 0 {
		return Event{}, false
	}
	return c.event(KindRetag, change{Add: add, Remove: remove}), true
}

// Delete is the event that takes the message's content away.
func (c Change) Delete() Event {
	e := c.event(KindDelete, change{})
	e.Outbox = []Work{{Do: DoRedact, Seq: c.Message.Seq}}
	return e
}

// MayEdit says whether the user may edit or delete the message: their own
// chat message or comment, once it is not deleted already.
func MayEdit(message Event, by UserID) bool {
	return message.Kind.Postable() && message.By == by && !message.Deleted
}

// Fold brings events to today's state by the changes that came after them.
// Both are in ascending order; changes to events that are not among them are
// passed over.
func Fold(events, changes []Event) []Event {
	at := make(map[Seq]int, len(events))
	out := slices.Clone(events)
	for i, e := range out {
		at[e.Seq] = i
	}
	for _, c := range changes {
		if i, ok := at[c.Target]; ok && c.Target != 0 {
			out[i] = apply(out[i], c)
		}
	}
	return out
}

// apply makes one change to one message. What is deleted stays deleted,
// whatever order a race between editors put their changes in.
func apply(e, by Event) Event {
	if e.Deleted {
		return e
	}
	var c change
	if json.Unmarshal(by.Content, &c) != nil {
		return e
	}
	switch by.Kind {
	case KindEdit:
		e.Content, e.Edited = c.Updated, by.Sent
	case KindRetag:
		e.Tags = slices.DeleteFunc(slices.Clone(e.Tags), func(t string) bool { return slices.Contains(c.Remove, t) })
		e.Tags = appendNew(e.Tags, c.Add...)
	case KindDelete:
		e = e.Redacted()
	}
	return e
}
