package chat

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func member(id UserID, nick string) Member { return Member{User: User{ID: id, Nick: nick}} }

func TestTagsFor(t *testing.T) {
	members := []Member{member(1, "Ann"), member(2, "bob"), member(3, "a-b"), member(4, "Jörg")}
	tests := []struct {
		text string
		sent []string
		want string
	}{
		{"nothing special", nil, ""},
		{"#One #two, (#three) #TWO", nil, "one two three"},
		{"#work-in-progress- #123 #_x #日本", nil, "work-in-progress 123 _x 日本"},
		{"no#tag &#39; a/#b # #- ##x", nil, "x"},
		{"@bob hi", nil, ":user:2 :unread:2"},
		{"hi @BOB, @jörg! @a-b?", nil, ":user:2 :unread:2 :user:4 :unread:4 :user:3 :unread:3"},
		{"me@bob.com @nobody @bobby @", nil, ":highlight:2"},
		{"@ann I am", nil, ":user:1"},
		{"Hey @everyone and @ALL", nil, ":user:everyone :unread:*"},
		{"bob: look", nil, ":highlight:2"},
		{"@bob bob", nil, ":user:2 :unread:2"},
		{"see https://x.test/#frag?@bob now #t", nil, ":url t"},
		{"xhttp://a.test", nil, ""},
		{"text", []string{"#A", " b ", "@bob", "@who", "a", ""}, "a b :user:2 :unread:2"},
		{"#a", []string{":user:everyone", "#:unread:*", ":Highlight:1", "INFLUX:3", "influx"}, "a influx"},
		{"@bob", []string{":unread:1"}, ":user:2 :unread:2"},
	}
	for _, test := range tests {
		got := strings.Join(TagsFor(test.text, test.sent, members, 1), " ")
		if got != test.want {
			t.Errorf("%q %q: %q, want %q", test.text, test.sent, got, test.want)
		}
	}
}

func TestRetagLeavesOurTagsAlone(t *testing.T) {
	message := Event{Seq: 1, Kind: KindComment, Tags: []string{":user:2", ":unread:2", ":unread:3", "influx:7", "old"}}
	for _, test := range []struct {
		by   UserID
		tags []string
		want string
	}{
		{2, []string{":user:2", ":unread:2", ":unread:3", "influx:7", "old"}, ""},
		{2, []string{":user:2", ":unread:3", "influx:7", "old"}, `{"message":1,"remove":[":unread:2"]}`},
		{3, []string{"new", ":unread:*", ":user:everyone", ":highlight:1", "influx:1", ":unread:3"}, `{"message":1,"add":["new"],"remove":["old"]}`},
		{1, nil, `{"message":1,"remove":["old"]}`},
	} {
		e, differs := Change{Message: message, By: test.by}.Retag(test.tags)
		if string(e.Content) != test.want || differs != (test.want != "") || len(e.Outbox) != 0 {
			t.Errorf("%d retags with %v: %s, outbox %v", test.by, test.tags, e.Content, e.Outbox)
		}
	}
}

func FuzzTagsFor(f *testing.F) {
	for _, text := range []string{"#a @bob https://x/#y bob", "@everyone", "#\xff@\xf0\x9f", "a-b-#c--d", "http://"} {
		f.Add(text, "tag")
	}
	members := []Member{member(1, "ann"), member(2, "bob")}
	f.Fuzz(func(t *testing.T, text, sent string) {
		if CheckTags([]string{sent}) != nil {
			return
		}
		tags := TagsFor(text, []string{sent}, members, 1)
		for i, tag := range tags {
			if tag == "" || slices.Contains(tags[:i], tag) {
				t.Errorf("tags %q: %q is empty or there twice", tags, tag)
			}
			if utf8.ValidString(text) && !utf8.ValidString(tag) {
				t.Errorf("tag %q is not UTF-8", tag)
			}
		}
		if again := NormalTags(tags); !slices.Equal(again, tags) && utf8.ValidString(text) {
			t.Errorf("tags %q are not in their normal form %q", tags, again)
		}
		for kind, word := range tokens(text) {
			if word == "" || !strings.Contains(text, word) || kind != link && wordAt(word) != len(word) {
				t.Errorf("token %q of %q", word, text)
			}
		}
	})
}
