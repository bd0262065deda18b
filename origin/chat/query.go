package chat

import (
	"slices"
	"strings"
)

// Limits of what a Query may ask for.
const (
	MaxListed = 100 // names of kinds or tags
	MaxWords  = 20
)

// Query asks for messages of a flow as they stand today.
type Query struct {
	Flow   FlowID
	Since  Seq      // only after this one; 0: from the first
	Until  Seq      // only before this one; 0: to the last
	Kinds  []Kind   // of one of these kinds; none: of any
	Thread ThreadID // of this thread; empty: of any
	Tags   []string // with all of these tags, or with one of them if AnyTag
	AnyTag bool
	Words  []string // with all of these words in the text, in any case
	Oldest bool     // begin with the oldest instead of the newest
	Skip   int      // pass over this many that match
	Limit  int      // at most this many; 0: nothing
}

// Whole says that the log alone can answer q: it asks for nothing that later
// changes can give or take away.
func (q Query) Whole() bool { return len(q.Tags) == 0 && len(q.Words) == 0 && q.Skip == 0 }

// Match says whether a message, as it stands, has the tags and words that q
// asks for.
func (q Query) Match(e Event) bool { return q.matchTags(e.Tags) && q.matchWords(e) }

func (q Query) matchTags(tags []string) bool {
	has := func(tag string) bool { return slices.Contains(tags, tag) }
	if q.AnyTag && len(q.Tags) > 0 {
		return slices.ContainsFunc(q.Tags, has)
	}
	return !slices.ContainsFunc(q.Tags, func(tag string) bool { return !has(tag) })
}

func (q Query) matchWords(e Event) bool {
	if len(q.Words) == 0 {
		return true
	}
	text := strings.ToLower(e.Text())
	return !slices.ContainsFunc(q.Words, func(w string) bool { return !strings.Contains(text, strings.ToLower(w)) })
}
