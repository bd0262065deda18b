package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Document is the form of e that stores keep.
func (e Event) Document() ([]byte, error) {
	b, err := plainJSON(e)
	if err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	return b, nil
}

// ParseDocument reads what Document wrote.
func ParseDocument(b []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(b, &e); err != nil {
		return Event{}, fmt.Errorf("decode document: %w", err)
	}
	return e, nil
}

// plainJSON is JSON without the escapes that only HTML needs.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encode marshals values of this package, which cannot fail.
func encode(v any) json.RawMessage {
	b, err := plainJSON(v)
	if err != nil {
		panic("chat: marshal of own type: " + err.Error())
	}
	return b
}
