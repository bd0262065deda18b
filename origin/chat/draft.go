package chat

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxContent is how many characters a message may have.
const MaxContent = 8096

// Draft is a message that somebody wants to post.
type Draft struct {
	Flow     FlowID
	By       UserID
	Kind     Kind
	Content  string
	Tags     []string // beside those that the content itself has
	UUID     string   // the client's; the same one means the same message
	Thread   ThreadID // empty: a thread of its own
	Parent   Seq      // what a comment comments on
	External string   // show this name instead of the sender's
}

// Check finds everything that is wrong with d by itself.
func (d Draft) Check() error {
	bad := Invalid{}
	if !d.Kind.Postable() {
		bad.Add("event", "%.40q is not supported", d.Kind)
	}
	checkText(bad, d.Content)
	checkTags(bad, d.Tags)
	if d.UUID != "" && !validUUID(d.UUID) {
		bad.Add("uuid", "must be 1 to 64 letters, digits, dashes, dots, colons or underscores")
	}
	if (d.Kind == KindComment) != (d.Parent > 0) {
		bad.Add("message", "must be the id of a message for a comment, and absent otherwise")
	}
	if d.External != "" && (len(d.External) > 64 || strings.ContainsFunc(d.External, notName)) {
		bad.Add("external_user_name", "must be at most 64 bytes of letters, digits and signs that can be seen, without spaces")
	}
	return bad.Err()
}

// CheckContent finds what is wrong with new content for a message.
func CheckContent(text string) error {
	bad := Invalid{}
	checkText(bad, text)
	return bad.Err()
}

// CheckTags finds what is wrong with new tags for a message.
func CheckTags(tags []string) error {
	bad := Invalid{}
	checkTags(bad, tags)
	return bad.Err()
}

func checkText(bad Invalid, text string) {
	switch {
	case strings.TrimSpace(text) == "":
		bad.Add("content", "can't be blank")
	case utf8.RuneCountInString(text) > MaxContent:
		bad.Add("content", "is too long (maximum is %d characters)", MaxContent)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		bad.Add("content", "must be UTF-8 text without NUL")
	}
}

// notName finds what has no place in the name of an external user.
func notName(r rune) bool { return r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsGraphic(r) }

// Setting is what Compose needs to know around a draft.
type Setting struct {
	Parent  Event    // of a comment; otherwise zero
	Members []Member // of the flow, for mentions
	Sent    time.Time
}

// Compose makes the event that a checked draft becomes; only its Seq is still
// open.
func Compose(d Draft, s Setting) Event {
	e := Event{
		Flow: d.Flow, UUID: d.UUID, Kind: d.Kind, App: "chat",
		User: d.By, By: d.By, External: d.External,
		Thread: d.Thread, Content: encode(d.Content), Sent: stamp(s.Sent),
	}
	if d.External != "" {
		e.User = 0
	}
	e.Tags = TagsFor(d.Content, d.Tags, s.Members, d.By)
	if d.Kind == KindComment {
		e.Content = encode(comment{Title: title(s.Parent.Text()), Text: d.Content})
		e.Tags = appendNew(e.Tags, influx(d.Parent))
		e.Thread = s.Parent.Thread
	}
	if e.Thread == "" {
		e.Thread = ThreadOf(d.Flow, d.UUID)
	}
	e.Outbox = mentions(e.Tags)
	return e
}

// title is the first line of a text, short enough for a heading.
func title(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(line); len(runes) > 100 {
		return string(runes[:99]) + "…"
	}
	return line
}

// mentions is the work that follows from the tags of a new message.
func mentions(tags []string) []Work {
	var out []Work
	for _, tag := range tags {
		if id, ok := unreadTag(tag); ok {
			out = append(out, Work{Do: DoMention, User: id})
		}
	}
	return out
}

// stamp cuts a time to what the public API shows of it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
