package chat

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// OrgID numbers an organization.
type OrgID int64

// UserID numbers a user; 0 is nobody, or somebody from outside.
type UserID int64

// Seq is the position of an event in its flow, counted from 1 without gaps.
// It is the "id" of a message in the public API.
type Seq int64

// FlowID names a flow: a random UUID (RFC 9562, 5.4). The zero FlowID names
// none.
type FlowID [16]byte

// NewFlowID makes 16 random bytes into a FlowID.
func NewFlowID(random [16]byte) FlowID {
	random[6] = random[6]&0x0f | 0x40 // version 4
	random[8] = random[8]&0x3f | 0x80 // variant 10
	return random
}

// ParseFlowID reads the form that String writes, in either case.
func ParseFlowID(s string) (FlowID, error) {
	var f FlowID
	bad := fmt.Errorf("flow id %.40q is not a UUID", s)
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return f, bad
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(f[:], []byte(digits)); err != nil {
		return FlowID{}, bad
	}
	return f, nil
}

// String is the usual form of a UUID, in lower case.
func (f FlowID) String() string {
	h := hex.EncodeToString(f[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// MarshalText is String, for JSON.
func (f FlowID) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is ParseFlowID, for JSON.
func (f *FlowID) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFlowID(string(b))
	return err
}

// ThreadID names a thread of a flow: 27 characters of unpadded base64url.
type ThreadID string

// ThreadOf is the thread that the event with this uuid begins.
func ThreadOf(flow FlowID, uuid string) ThreadID {
	sum := sha256.Sum256([]byte("thread\x00" + flow.String() + "\x00" + uuid))
	return ThreadID(base64.RawURLEncoding.EncodeToString(sum[:20]))
}

// FlowRef is how a client points at a flow: by id, or by the slugs of
// organization and flow.
type FlowRef struct {
	ID        FlowID // zero: by slugs
	Org, Slug string
}

// ParseFlowRef reads a flow id, "org/flow" or "org:flow".
func ParseFlowRef(s string) (FlowRef, error) {
	if id, err := ParseFlowID(s); err == nil {
		return FlowRef{ID: id}, nil
	}
	i := strings.IndexAny(s, "/:")
	if i <= 0 || i == len(s)-1 || strings.ContainsAny(s[i+1:], "/:") {
		return FlowRef{}, fmt.Errorf("flow %.100q: want an id, or organization/flow", s)
	}
	return FlowRef{Org: strings.ToLower(s[:i]), Slug: strings.ToLower(s[i+1:])}, nil
}

// validUUID says whether a client may name its message so: up to 64 letters,
// digits and signs that are safe in every store and URL.
func validUUID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_.:", r))
	}) < 0
}
