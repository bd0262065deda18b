package chat

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDraftCheckFindsAllFaults(t *testing.T) {
	good := Draft{Kind: KindMessage, Content: "x"}
	tests := []struct {
		name   string
		change func(*Draft)
		fields string
	}{
		{"good", func(*Draft) {}, ""},
		{"longest", func(d *Draft) { d.Content = strings.Repeat("ä", MaxContent) }, ""},
		{"comment", func(d *Draft) { d.Kind, d.Parent = KindComment, 3 }, ""},
		{"kind that only we write", func(d *Draft) { d.Kind = KindEdit }, "event"},
		{"blank", func(d *Draft) { d.Content = " \n" }, "content"},
		{"too long", func(d *Draft) { d.Content = strings.Repeat("x", MaxContent+1) }, "content"},
		{"NUL", func(d *Draft) { d.Content = "a\x00b" }, "content"},
		{"not UTF-8", func(d *Draft) { d.Content = "\xff" }, "content"},
		{"tag with a space", func(d *Draft) { d.Tags = []string{"a b"} }, "tags"},
		{"many tags", func(d *Draft) { d.Tags = make([]string, maxTags+1) }, "tags"},
		{"uuid", func(d *Draft) { d.UUID = "a b" }, "uuid"},
		{"comment on nothing", func(d *Draft) { d.Kind = KindComment }, "message"},
		{"message on something", func(d *Draft) { d.Parent = 1 }, "message"},
		{"name with a space", func(d *Draft) { d.External = "a b" }, "external_user_name"},
		{"name that turns the line around", func(d *Draft) { d.External = "\u202enimda" }, "external_user_name"},
		{"name with an invisible sign", func(d *Draft) { d.External = "ad\u200bmin" }, "external_user_name"},
		{"name with a C1 control", func(d *Draft) { d.External = "a\u0085" }, "external_user_name"},
		{"name with a wide space", func(d *Draft) { d.External = "a\u3000b" }, "external_user_name"},
		{"name in another script", func(d *Draft) { d.External = "ロボット🤖" }, ""},
		{"all at once", func(d *Draft) { *d = Draft{UUID: "!", External: "\n", Tags: []string{","}, Parent: 1} }, "content event external_user_name message tags uuid"},
	}
	for _, test := range tests {
		d := good
		test.change(&d)
		invalid, _ := errors.AsType[Invalid](d.Check())
		if got := strings.Join(slices.Sorted(maps.Keys(invalid)), " "); got != test.fields {
			t.Errorf("%s: faults in %q, want %q (%v)", test.name, got, test.fields, invalid)
		}
	}
}

func TestCompose(t *testing.T) {
	sent := time.Date(2026, 1, 2, 3, 4, 5, 6_789_000, time.FixedZone("", 3600))
	flow := NewFlowID([16]byte{1})
	members := []Member{member(1, "ann"), member(2, "bob")}
	message := Compose(Draft{Flow: flow, By: 1, Kind: KindMessage, Content: "hi @bob\nand all", UUID: "u"}, Setting{Members: members, Sent: sent})
	if message.Thread != ThreadOf(flow, "u") || message.User != 1 || message.By != 1 || message.App != "chat" || message.Text() != "hi @bob\nand all" {
		t.Errorf("message %+v", message)
	}
	if want := time.Date(2026, 1, 2, 2, 4, 5, 6_000_000, time.UTC); !message.Sent.Equal(want) || message.Sent.Nanosecond() != want.Nanosecond() {
		t.Errorf("sent %v, want %v", message.Sent, want)
	}
	if !slices.Equal(message.Outbox, []Work{{Do: DoMention, User: 2}}) {
		t.Errorf("outbox %v", message.Outbox)
	}
	message.Seq = 5
	comment := Compose(Draft{Flow: flow, By: 2, Kind: KindComment, Content: "yes", UUID: "v", Parent: 5}, Setting{Parent: message, Sent: sent})
	if string(comment.Content) != `{"title":"hi @bob","text":"yes"}` || comment.Thread != message.Thread || !slices.Equal(comment.Tags, []string{"influx:5"}) {
		t.Errorf("comment %s in %s, tags %v", comment.Content, comment.Thread, comment.Tags)
	}
	robot := Compose(Draft{Flow: flow, By: 1, Kind: KindMessage, Content: "@everyone", UUID: "w", External: "R2"}, Setting{Sent: sent})
	if robot.User != 0 || robot.By != 1 || robot.External != "R2" || !slices.Equal(robot.Outbox, []Work{{Do: DoMention}}) {
		t.Errorf("robot %+v", robot)
	}
}

func TestFold(t *testing.T) {
	flow, sent := NewFlowID([16]byte{1}), time.UnixMilli(1000).UTC()
	m := Compose(Draft{Flow: flow, By: 1, Kind: KindMessage, Content: "one", UUID: "u", Tags: []string{"a", "b"}}, Setting{Sent: sent})
	m.Seq = 1
	c := Change{Message: m, By: 2, UUID: "c", Sent: sent.Add(time.Second)}
	retag, differs := c.Retag([]string{"#B", "c"})
	if !differs {
		t.Fatal("Retag finds no difference")
	}
	if _, differs := c.Retag([]string{"b", "A"}); differs {
		t.Error("the same tags in another order differ")
	}
	fold := func(changes ...Event) Event { return Fold([]Event{m}, changes)[0] }

	if got := fold(c.Edit("two"), retag); got.Text() != "two" || !got.Edited.Equal(sent.Add(time.Second)) || !slices.Equal(got.Tags, []string{"b", "c"}) {
		t.Errorf("edited and tagged: %+v", got)
	}
	if got := fold(c.Delete(), c.Edit("back"), retag); got.Text() != "" || !got.Deleted || got.Tags != nil {
		t.Errorf("deleted, then edited: %+v", got)
	}
	elsewhere := c.Edit("two")
	elsewhere.Target = 9
	if got := fold(elsewhere); got.Text() != "one" {
		t.Errorf("an edit of another message changed this one: %+v", got)
	}
	if m.Text() != "one" || !slices.Equal(m.Tags, []string{"a", "b"}) {
		t.Errorf("Fold changed what it was given: %+v", m)
	}
	if !MayEdit(m, 1) || MayEdit(m, 2) || MayEdit(fold(c.Delete()), 1) || MayEdit(retag, 2) {
		t.Error("MayEdit is wrong")
	}
}

func TestQueryMatch(t *testing.T) {
	e := Compose(Draft{Kind: KindMessage, Content: "Red green BLUE", UUID: "u", Tags: []string{"a", "b"}}, Setting{})
	for _, test := range []struct {
		q    Query
		want bool
	}{
		{Query{}, true},
		{Query{Tags: []string{"a", "b"}}, true},
		{Query{Tags: []string{"a", "z"}}, false},
		{Query{Tags: []string{"a", "z"}, AnyTag: true}, true},
		{Query{Tags: []string{"y", "z"}, AnyTag: true}, false},
		{Query{AnyTag: true}, true},
		{Query{Words: []string{"blue", "RED"}}, true},
		{Query{Words: []string{"blue", "pink"}}, false},
		{Query{Words: []string{"blue"}, Tags: []string{"z"}}, false},
	} {
		if got := test.q.Match(e); got != test.want {
			t.Errorf("%+v: %v", test.q, got)
		}
	}
}
