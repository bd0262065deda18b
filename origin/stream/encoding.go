package stream

import (
	"landfall/origin/backend"
	"landfall/origin/chat"
)

func (e encoding) contentType() string {
	if e == serverSent {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

// opening is what a stream begins with. To server-sent events it is the
// cursor alone, an event without data, which clients do not deliver but
// remember: one that loses the connection before the first event misses none.
func (e encoding) opening(b []byte, c chat.Cursor) []byte {
	if e == serverSent {
		b = append(b, "id: "...)
		b = append(b, c.String()...)
		b = append(b, "\n\n"...)
	}
	return b
}

// event appends one event. Lines of JSON end with CR LF, which clients split
// on. Server-sent events have no name, because named ones do not reach what
// clients listen to, and no id when there is nothing to resume from.
func (e encoding) event(b []byte, d backend.Delivery, c chat.Cursor) []byte {
	if e == jsonLines {
		b = append(b, d.JSON...)
		return append(b, "\r\n"...)
	}
	if d.Event.Seq > 0 {
		b = append(b, "id: "...)
		b = append(b, c.String()...)
		b = append(b, '\n')
	}
	b = append(b, "data: "...)
	b = append(b, d.JSON...) // one line: JSON escapes line breaks
	return append(b, "\n\n"...)
}

// keepAlive appends what clients pass over. In lines of JSON it is a lone LF:
// after a CR LF, clients would parse the empty line.
func (e encoding) keepAlive(b []byte) []byte {
	if e == serverSent {
		return append(b, ":\n\n"...)
	}
	return append(b, '\n')
}
