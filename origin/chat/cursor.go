package chat

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// Cursor says up to where a reader has everything: by flow, the number of the
// last event delivered. Its text form is opaque to clients, who hand it back
// to go on without a gap.
type Cursor map[FlowID]Seq

// A cursor's text is unpadded base64url of a version byte and, in the order
// of flows, the 16 bytes of each and its number as a varint.
const (
	cursorVersion = 1
	maxCursor     = 1 << 16 // characters: some 2,000 flows
)

var errCursor = errors.New("cursor is not one of ours: drop it to start from now")

// String is the opaque form of c; the same cursor always has the same one.
func (c Cursor) String() string {
	b := append(make([]byte, 0, 1+20*len(c)), cursorVersion)
	for _, flow := range slices.SortedFunc(maps.Keys(c), compareFlows) {
		b = append(b, flow[:]...)
		b = binary.AppendUvarint(b, uint64(c[flow]))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads the form that String writes, and nothing else. The empty
// text is the empty cursor.
func ParseCursor(s string) (Cursor, error) {
	c := Cursor{}
	if s == "" {
		return c, nil
	}
	if len(s) > maxCursor {
		return nil, errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) == 0 || b[0] != cursorVersion {
		return nil, errCursor
	}
	for b = b[1:]; len(b) > 0; {
		var flow FlowID
		if len(b) < len(flow)+1 {
			return nil, errCursor
		}
		b = b[copy(flow[:], b):]
		seq, n := binary.Uvarint(b)
		if n <= 0 || seq > 1<<62 {
			return nil, errCursor
		}
		c[flow] = Seq(seq)
		b = b[n:]
	}
	if c.String() != s { // flows out of order or twice, or a padded varint
		return nil, errCursor
	}
	return c, nil
}

func compareFlows(a, b FlowID) int { return bytes.Compare(a[:], b[:]) }
