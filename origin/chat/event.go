package chat

import (
	"encoding/json"
	"slices"
	"time"
)

// Kind is what sort of event one is, by its public name.
type Kind string

// The kinds that the origin writes. Everything in a flow, also what changes
// earlier messages, takes the next number of the same sequence.
const (
	KindMessage Kind = "message"
	KindStatus  Kind = "status"
	KindLine    Kind = "line" // "/me waves"
	KindComment Kind = "comment"
	KindAction  Kind = "action"         // somebody joined
	KindEdit    Kind = "message-edit"   // changes the content of its Target
	KindRetag   Kind = "tag-change"     // changes the tags of its Target
	KindDelete  Kind = "message-delete" // takes the content of its Target away

	KindActivity Kind = "activity.user" // somebody types; ephemeral, never in a log
)

// Postable says whether clients may post events of this kind.
func (k Kind) Postable() bool {
	switch k {
	case KindMessage, KindStatus, KindLine, KindComment:
		return true
	}
	return false
}

// kinds are all that a log may have. Clients ask for more: for what other
// services of theirs wrote.
var kinds = [...]Kind{KindMessage, KindStatus, KindLine, KindComment, KindAction, KindEdit, KindRetag, KindDelete}

// KnownKinds are those of the names that a log may have, each once.
func KnownKinds(names []string) []Kind {
	var known []Kind
	for _, k := range kinds {
		if slices.Contains(names, string(k)) {
			known = append(known, k)
		}
	}
	return known
}

// Event is one entry in the log of a flow, as it was committed; after Fold,
// a message as it stands today. Its JSON form is the document that stores
// keep, not the public one.
type Event struct {
	Flow     FlowID          `json:"flow"`
	Seq      Seq             `json:"seq"`
	UUID     string          `json:"uuid"` // unique in the flow
	Kind     Kind            `json:"kind"`
	User     UserID          `json:"user,omitzero"` // who it shows; 0 is somebody from outside
	By       UserID          `json:"by,omitzero"`   // who sent it
	External string          `json:"external,omitempty"`
	App      string          `json:"app,omitempty"`
	Thread   ThreadID        `json:"thread,omitempty"`
	Target   Seq             `json:"target,omitzero"` // the event that this one changes
	Content  json.RawMessage `json:"content"`
	Tags     []string        `json:"tags,omitempty"`
	Sent     time.Time       `json:"sent"`
	Edited   time.Time       `json:"edited,omitzero"`
	Deleted  bool            `json:"deleted,omitzero"`

	// Outbox is the work that follows from the event. It is committed with
	// it, so that a crash in between loses none.
	Outbox []Work `json:"outbox,omitempty"`
}

// Work is something to be done because an event was committed.
type Work struct {
	Do   Deed   `json:"do"`
	User UserID `json:"user,omitzero"` // for DoMention; 0 is everybody but the author
	Seq  Seq    `json:"seq,omitzero"`  // for DoRedact
}

// Deed is a sort of work.
type Deed string

// The deeds.
const (
	DoMention Deed = "mention" // count an unread mention
	DoRedact  Deed = "redact"  // take the content of a deleted message out of the log
)

// comment is the content of a KindComment.
type comment struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// change is the content of KindEdit, KindRetag and KindDelete.
type change struct {
	Message Seq             `json:"message"`
	Updated json.RawMessage `json:"updated_content,omitempty"`
	Add     []string        `json:"add,omitempty"`
	Remove  []string        `json:"remove,omitempty"`
}

// Text is what the author typed; empty for kinds that nobody types.
func (e Event) Text() string {
	var s string
	if json.Unmarshal(e.Content, &s) == nil {
		return s
	}
	var c comment
	if e.Kind == KindComment && json.Unmarshal(e.Content, &c) == nil {
		return c.Text
	}
	return ""
}

// withText is the content of e with the text replaced, in the form of its
// kind.
func (e Event) withText(text string) json.RawMessage {
	if e.Kind != KindComment {
		return encode(text)
	}
	var c comment
	_ = json.Unmarshal(e.Content, &c) // ours since Compose; a fault leaves the title empty
	c.Text = text
	return encode(c)
}

// Redacted is e without its content: what stays in the log of a deleted
// message, and of its edits.
func (e Event) Redacted() Event {
	switch e.Kind {
	case KindComment:
		e.Content = encode(comment{})
	case KindEdit:
		e.Content = encode(change{Message: e.Target, Updated: encode("")})
	default:
		e.Content = encode("")
	}
	e.Tags, e.External, e.Deleted = nil, "", true
	return e
}

// CommentsOn says whether e is a comment on a message of its flow.
func (e Event) CommentsOn(message Seq) bool {
	return e.Kind == KindComment && slices.Contains(e.Tags, influx(message))
}

// Untitled is a comment, or an edit of one, without the title that it quotes
// from what it comments on.
func (e Event) Untitled() Event {
	var c comment
	var edit change
	switch {
	case e.Kind == KindComment && json.Unmarshal(e.Content, &c) == nil:
		c.Title = ""
		e.Content = encode(c)
	case e.Kind == KindEdit && json.Unmarshal(e.Content, &edit) == nil && json.Unmarshal(edit.Updated, &c) == nil:
		c.Title = ""
		edit.Updated = encode(c)
		e.Content = encode(edit)
	}
	return e
}

// Typing is the ephemeral event that says that a user is at the keyboard.
func Typing(flow FlowID, user UserID, when time.Time) Event {
	return Event{
		Flow: flow, Kind: KindActivity, User: user, By: user, App: "chat",
		Content: encode(map[string]int64{"last_activity": when.UnixMilli()}), Sent: stamp(when),
	}
}
