package socket

import (
	"encoding/json"
	"unicode/utf8"

	"landfall/origin/chat"
	"landfall/origin/wire"
)

// maxFrame is how long a frame from a client may be: a message of the longest
// content, with every character escaped, and room to spare.
const maxFrame = 256 << 10

// frame is what a client sends; T says which of the fields count.
type frame struct {
	T string `json:"t"`

	// hello
	Token  string   `json:"token"`
	Cursor string   `json:"cursor"`
	Filter []string `json:"filter"`

	// send; typing and seen have a flow too
	UUID     string        `json:"uuid"`
	Flow     string        `json:"flow"`
	Event    chat.Kind     `json:"event"`
	Content  string        `json:"content"`
	Tags     []string      `json:"tags"`
	Thread   chat.ThreadID `json:"thread_id"`
	Parent   chat.Seq      `json:"message"`
	External string        `json:"external_user_name"`

	// seen
	ID chat.Seq `json:"id"`
}

// faulty is a frame that cannot be understood, told to the client.
type faulty struct{ why string }

func (f *faulty) Error() string { return f.why }

// parseFrame reads what a client sent. Fields that we do not know are passed
// over, so that newer clients can talk to us.
func parseFrame(b []byte) (frame, error) {
	var f frame
	if !utf8.Valid(b) {
		return f, &faulty{"frame is not valid UTF-8"}
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return frame{}, &faulty{"frame is not JSON of the right form: " + err.Error()}
	}
	if f.T == "" {
		return frame{}, &faulty{`frame has no type: "t" is missing`}
	}
	return f, nil
}

// draft is the message that a send frame asks to post.
func (f frame) draft(flow chat.FlowID, by chat.UserID) chat.Draft {
	if f.Event == "" {
		f.Event = chat.KindMessage
	}
	return chat.Draft{
		Flow: flow, By: by, Kind: f.Event, Content: f.Content, Tags: f.Tags, UUID: f.UUID,
		Thread: f.Thread, Parent: f.Parent, External: f.External,
	}
}

// The frames that we send.
type (
	readyFrame struct {
		T      string      `json:"t"`
		Cursor string      `json:"cursor"`
		Gap    int         `json:"gap"`
		User   chat.UserID `json:"user"`
	}
	eventFrame struct {
		T      string          `json:"t"`
		Cursor string          `json:"c"`
		Event  json.RawMessage `json:"e"`
	}
	ackFrame struct {
		T    string   `json:"t"`
		UUID string   `json:"uuid"`
		ID   chat.Seq `json:"id"`
	}
	nackFrame struct {
		T       string              `json:"t"`
		UUID    string              `json:"uuid"`
		Message string              `json:"message"`
		Errors  map[string][]string `json:"errors,omitempty"`
	}
	errorFrame struct {
		T       string              `json:"t"`
		Message string              `json:"message"`
		Errors  map[string][]string `json:"errors,omitempty"`
	}
	movedFrame struct {
		T     string `json:"t"`
		After int64  `json:"after"` // milliseconds
	}
)

// encode marshals one of our frames, which cannot fail.
func encode(v any) []byte {
	b, err := wire.JSON(v)
	if err != nil {
		panic("socket: marshal of own frame: " + err.Error())
	}
	return b
}
