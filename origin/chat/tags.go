package chat

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of the tags that one message may be given.
const (
	maxTags   = MaxListed
	maxTagLen = 200
)

// TagsFor are the tags of a new message: the hashtags of its text, those that
// the client sent along ("a", "#a", or "@nick" to mention somebody), and the
// ones that tell clients what concerns whom:
//
//	@nick       :user:ID :unread:ID
//	@everyone   :user:everyone :unread:*
//	nick        :highlight:ID
//	a web link  :url
//
// Only we give tags of these forms: sent along, they are dropped.
func TagsFor(text string, sent []string, members []Member, by UserID) []string {
	who := make(map[string]UserID, len(members))
	for _, m := range members {
		who[strings.ToLower(m.Nick)] = m.ID
	}
	var tags []string
	for kind, word := range tokens(text) {
		word = strings.ToLower(word)
		switch kind {
		case hashtag:
			tags = appendNew(tags, word)
		case mention:
			tags = appendNew(tags, mentionTags(word, who, by)...)
		case link:
			tags = appendNew(tags, ":url")
		case bare:
			if id, ok := who[word]; ok && !slices.Contains(tags, idTag(":user:", id)) {
				tags = appendNew(tags, idTag(":highlight:", id))
			}
		}
	}
	for _, tag := range sent {
		if nick, ok := strings.CutPrefix(tag, "@"); ok {
			tags = appendNew(tags, mentionTags(strings.ToLower(nick), who, by)...)
			continue
		}
		tags = appendNew(tags, theirs(NormalTags([]string{tag}))...)
	}
	return tags
}

// ours says whether a tag is one that tells clients what concerns whom, and
// so is not for clients to give.
func ours(tag string) bool { return strings.HasPrefix(tag, ":") || strings.HasPrefix(tag, "influx:") }

// theirs are those of the tags, in their normal form, that clients may give.
func theirs(tags []string) []string { return slices.DeleteFunc(slices.Clone(tags), ours) }

// NormalTags are tags as they are kept: in lower case, without #, each once.
func NormalTags(tags []string) []string {
	var out []string
	for _, tag := range tags {
		tag = strings.ToLower(strings.TrimLeft(strings.TrimSpace(tag), "#"))
		if tag != "" {
			out = appendNew(out, tag)
		}
	}
	return out
}

func checkTags(bad Invalid, tags []string) {
	if len(tags) > maxTags {
		bad.Add("tags", "are too many (maximum is %d)", maxTags)
		return
	}
	for _, tag := range tags {
		if len(tag) > maxTagLen || !utf8.ValidString(tag) || strings.ContainsFunc(tag, notTag) {
			bad.Add("tags", "%.40q must be at most %d bytes without spaces, commas or control characters", tag, maxTagLen)
		}
	}
}

func notTag(r rune) bool { return r == ',' || unicode.IsSpace(r) || unicode.IsControl(r) }

// mentionTags are the tags for one @word; nobody's nick gives none. Authors
// who mention themselves have nothing unread.
func mentionTags(word string, who map[string]UserID, by UserID) []string {
	if everyone(word) {
		return []string{":user:everyone", ":unread:*"}
	}
	id, ok := who[word]
	switch {
	case !ok:
		return nil
	case id == by:
		return []string{idTag(":user:", id)}
	}
	return []string{idTag(":user:", id), idTag(":unread:", id)}
}

func everyone(word string) bool {
	switch word {
	case "everyone", "everybody", "all", "anyone", "anybody":
		return true
	}
	return false
}

// unreadTag reads ":unread:ID"; ":unread:*" is user 0, everybody.
func unreadTag(tag string) (UserID, bool) {
	rest, ok := strings.CutPrefix(tag, ":unread:")
	if !ok || rest == "*" {
		return 0, ok
	}
	id, err := strconv.ParseInt(rest, 10, 64)
	return UserID(id), err == nil && id > 0
}

// influx is the tag that ties a comment to what it comments on.
func influx(parent Seq) string { return "influx:" + strconv.FormatInt(int64(parent), 10) }

func idTag(prefix string, id UserID) string { return prefix + strconv.FormatInt(int64(id), 10) }

// appendNew appends those tags that are not there yet.
func appendNew(tags []string, more ...string) []string {
	for _, tag := range more {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}
