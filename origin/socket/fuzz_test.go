package socket

import (
	"testing"
	"unicode/utf8"

	"landfall/origin/chat"
)

// FuzzFrame reads any frame: it is understood or told to be faulty, and what
// it asks to post goes through the same checks as all drafts.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"t":"hello","token":"x","cursor":"AQ","filter":["a/b"]}`))
	f.Add([]byte(`{"t":"send","uuid":"u","flow":"a/b","event":"comment","message":3,"content":"x","tags":["a"]}`))
	f.Add([]byte(`{"t":"seen","id":-1}`))
	f.Add([]byte(`{"t":"\ud800"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := parseFrame(b)
		if err != nil {
			if _, ok := err.(*faulty); !ok {
				t.Errorf("error %v is not for the client", err)
			}
			return
		}
		d := frame.draft(chat.FlowID{1}, 1)
		if d.Check() == nil && !utf8.ValidString(d.Content+d.External+d.UUID) {
			t.Errorf("draft %+v is not UTF-8", d)
		}
	})
}
