package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"landfall/origin/chat"
)

// Message is an event or a message as clients see it. Users are numbers
// everywhere but here, where they are strings; "0" is somebody from outside.
type Message struct {
	ID          chat.Seq        `json:"id,omitzero"`
	Event       chat.Kind       `json:"event"`
	Flow        chat.FlowID     `json:"flow"`
	User        string          `json:"user"`
	External    string          `json:"external_user_name,omitempty"`
	Content     json.RawMessage `json:"content"`
	Tags        []string        `json:"tags"`
	UUID        string          `json:"uuid,omitempty"`
	App         string          `json:"app,omitempty"`
	Thread      chat.ThreadID   `json:"thread_id,omitempty"`
	Sent        int64           `json:"sent"` // Unix time in milliseconds
	CreatedAt   string          `json:"created_at"`
	Edited      int64           `json:"edited,omitzero"` // Unix time in milliseconds
	Deleted     bool            `json:"deleted,omitzero"`
	Attachments []struct{}      `json:"attachments"` // clients expect the list
}

// NewMessage is the public form of e.
func NewMessage(e chat.Event) Message {
	m := Message{
		ID: e.Seq, Event: e.Kind, Flow: e.Flow, User: strconv.FormatInt(int64(e.User), 10), External: e.External,
		Content: e.Content, Tags: e.Tags, UUID: e.UUID, App: e.App, Thread: e.Thread,
		Sent: e.Sent.UnixMilli(), CreatedAt: Time(e.Sent), Deleted: e.Deleted,
		Attachments: []struct{}{},
	}
	if m.Tags == nil {
		m.Tags = []string{}
	}
	if !e.Edited.IsZero() {
		m.Edited = e.Edited.UnixMilli()
	}
	return m
}

// Messages are the public forms of events.
func Messages(events []chat.Event) []Message {
	out := make([]Message, len(events))
	for i, e := range events {
		out[i] = NewMessage(e)
	}
	return out
}

// Time is how the API writes times: ISO 8601 in UTC with milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// JSON encodes a value of this package on one line, without the escapes that
// only HTML needs.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
