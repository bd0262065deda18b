package backend_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"landfall/origin/backend"
	"landfall/origin/chat"
)

func TestSameUUIDReturnsTheSameMessageForEver(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	parent := post(t, b, draft(d.ann, "p", "parent"))
	comment := draft(d.bob, "c", "comment")
	comment.Kind, comment.Parent = chat.KindComment, parent.Seq
	first := post(t, b, comment)
	if err := b.Delete(t.Context(), flow, parent.Seq, d.ann.ID); err != nil {
		t.Fatal(err)
	}
	again, added, err := d.idle(t, nil).Post(t.Context(), comment) // by another process, later
	if err != nil || added || again.Seq != first.Seq || again.Text() != "comment" {
		t.Errorf("again: %+v, added %v, %v", again, added, err)
	}
	for _, other := range []chat.Draft{draft(d.ann, "c", "comment"), draft(d.bob, "c", "a message")} {
		_, _, err := b.Post(t.Context(), other)
		if invalid, ok := errors.AsType[chat.Invalid](err); !ok || len(invalid["uuid"]) != 1 {
			t.Errorf("another's UUID: %v", err)
		}
	}
	if n := b.Stats(); n.Posted != 2 || n.Changed != 1 {
		t.Errorf("stats %+v", n)
	}
}

// brokenLog fails to append as often as told, before or after the commit.
type brokenLog struct {
	chat.Log
	before, after int
}

var errDisk = errors.New("disk is full")

func (l *brokenLog) Append(ctx context.Context, e chat.Event) (chat.Event, bool, error) {
	if l.before > 0 {
		l.before--
		return chat.Event{}, false, errDisk
	}
	stored, added, err := l.Log.Append(ctx, e)
	if l.after > 0 {
		l.after--
		return chat.Event{}, false, errDisk
	}
	return stored, added, err
}

func TestFailedPostMayBeRepeated(t *testing.T) {
	d := newData(t)
	log := &brokenLog{Log: d.log, before: 1, after: 1}
	b := d.idle(t, func(c *backend.Config) { c.Log = log })
	for try := range 2 {
		if _, _, err := b.Post(t.Context(), draft(d.ann, "u", "x")); !errors.Is(err, errDisk) {
			t.Fatalf("try %d: %v", try, err)
		}
	}
	e, added, err := b.Post(t.Context(), draft(d.ann, "u", "x"))
	if err != nil || added || e.Seq != 1 { // the second try was committed, although nobody was told
		t.Errorf("third try: %+v, added %v, %v", e, added, err)
	}
}

func TestDraftsMustFit(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	action := post(t, b, draft(d.ann, "a", "x"))
	if err := b.Edit(t.Context(), flow, action.Seq, d.ann.ID, "y"); err != nil { // number 2, not commentable
		t.Fatal(err)
	}
	thread, orphan, onEdit := draft(d.ann, "", "x"), draft(d.ann, "", "x"), draft(d.ann, "", "x")
	thread.Thread = "no such thread"
	orphan.Kind, orphan.Parent = chat.KindComment, 99
	onEdit.Kind, onEdit.Parent = chat.KindComment, 2
	for field, drafts := range map[string][]chat.Draft{"thread_id": {thread}, "message": {orphan, onEdit}} {
		for _, dr := range drafts {
			_, _, err := b.Post(t.Context(), dr)
			if invalid, ok := errors.AsType[chat.Invalid](err); !ok || len(invalid[field]) != 1 {
				t.Errorf("%s: %v", field, err)
			}
		}
	}
	thread.Thread = action.Thread
	if e := post(t, b, thread); e.Thread != action.Thread || e.UUID == "" {
		t.Errorf("in a thread: %+v", e)
	}
}

func TestOnlyAuthorsChangeTheirMessages(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	e := post(t, b, draft(d.ann, "a", "x"))
	if err := b.Edit(t.Context(), flow, e.Seq, d.bob.ID, "y"); !errors.Is(err, chat.ErrForbidden) {
		t.Errorf("edit by another: %v", err)
	}
	if err := b.Delete(t.Context(), flow, e.Seq, d.bob.ID); !errors.Is(err, chat.ErrForbidden) {
		t.Errorf("delete by another: %v", err)
	}
	if err := b.Retag(t.Context(), flow, e.Seq, d.bob.ID, []string{"done"}); err != nil {
		t.Errorf("tags by another: %v", err)
	}
	if err := b.Retag(t.Context(), flow, e.Seq, d.bob.ID, []string{"#Done"}); err != nil {
		t.Errorf("the same tags: %v", err)
	}
	if err := b.Edit(t.Context(), flow, 99, d.ann.ID, "y"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("edit of nothing: %v", err)
	}
	if err := b.Delete(t.Context(), flow, e.Seq, d.ann.ID); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"edit":   b.Edit(t.Context(), flow, e.Seq, d.ann.ID, "y"),
		"retag":  b.Retag(t.Context(), flow, e.Seq, d.ann.ID, []string{"y"}),
		"delete": b.Delete(t.Context(), flow, e.Seq, d.ann.ID),
	} {
		if !errors.Is(err, chat.ErrForbidden) {
			t.Errorf("%s of what is deleted: %v", what, err)
		}
	}
	if heads, _ := d.log.Heads(t.Context(), []chat.FlowID{flow}); heads[flow] != 3 {
		t.Errorf("the log has %d events, want message, tags and deletion", heads[flow])
	}
}

func TestMessagesByQuery(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	d.fill(t, 300, func(i int) chat.Draft { // more than one read of the log
		dr := draft(d.ann, fmt.Sprint("u", i), fmt.Sprintf("number %d is %s", i, []string{"even", "odd"}[i%2]))
		if i%50 == 0 {
			dr.Tags = []string{"fifty"}
		}
		return dr
	})
	if err := b.Retag(t.Context(), flow, 150, d.bob.ID, []string{"other"}); err != nil { // number 301
		t.Fatal(err)
	}
	if err := b.Edit(t.Context(), flow, 7, d.ann.ID, "was odd, now special"); err != nil { // number 302
		t.Fatal(err)
	}
	tests := []struct {
		name string
		q    chat.Query
		want []chat.Seq
	}{
		{"newest", chat.Query{Limit: 2}, []chat.Seq{301, 302}},
		{"oldest since", chat.Query{Since: 5, Oldest: true, Limit: 2}, []chat.Seq{6, 7}},
		{"until", chat.Query{Until: 5, Limit: 2}, []chat.Seq{3, 4}},
		{"kinds", chat.Query{Kinds: []chat.Kind{chat.KindRetag, chat.KindEdit}, Limit: 9}, []chat.Seq{301, 302}},
		{"tag, as it is now", chat.Query{Tags: []string{"fifty"}, Limit: 9}, []chat.Seq{50, 100, 200, 250, 300}},
		{"newest with the tag", chat.Query{Tags: []string{"fifty"}, Limit: 2}, []chat.Seq{250, 300}},
		{"oldest with either tag", chat.Query{Tags: []string{"fifty", "other"}, AnyTag: true, Oldest: true, Since: 50, Limit: 2}, []chat.Seq{100, 150}},
		{"words, as they are now", chat.Query{Words: []string{"SPECIAL", "odd"}, Limit: 9}, []chat.Seq{7}},
		{"skip", chat.Query{Words: []string{"odd", "number"}, Skip: 2, Limit: 2}, []chat.Seq{293, 295}},
		{"skip all", chat.Query{Words: []string{"special"}, Skip: 2, Limit: 2}, nil},
	}
	for _, test := range tests {
		test.q.Flow = flow
		events, err := b.Messages(t.Context(), test.q)
		if err != nil {
			t.Fatal(err)
		}
		var got []chat.Seq
		for _, e := range events {
			got = append(got, e.Seq)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
