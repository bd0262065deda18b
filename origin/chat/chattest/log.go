// Package chattest holds what every adapter of the chat must do: one suite
// for each interface. An adapter's test hands in how to open it; the suite
// uses nothing but the interface.
package chattest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"landfall/origin/chat"
)

// FlowID is a flow id for tests, a different one for every n.
func FlowID(n byte) chat.FlowID { return chat.NewFlowID([16]byte{15: n}) }

// Event is a message for tests.
func Event(flow chat.FlowID, uuid, text string) chat.Event {
	d := chat.Draft{Flow: flow, By: 7, Kind: chat.KindMessage, Content: text, UUID: uuid}
	return chat.Compose(d, chat.Setting{Sent: time.UnixMilli(1_700_000_000_123)})
}

// LogSuite holds a chat.Log to its contract. open returns an empty log.
func LogSuite(t *testing.T, open func(t *testing.T) chat.Log) {
	tests := []struct {
		name string
		run  func(*testing.T, chat.Log)
	}{
		{"AppendNumbersEachFlowFromOne", appendNumbers},
		{"AppendKeepsTheWholeDocument", appendKeeps},
		{"SameUUIDIsTheSameEvent", sameUUID},
		{"ConcurrentAppendsAreDenseAndOnce", concurrentAppends},
		{"AppendAfterItsContextLeavesNoHole", cancelledAppend},
		{"ReadBySpan", readBySpan},
		{"ChangesOfTargets", changes},
		{"RedactForgetsTheContent", redact},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// put appends or fails the test.
func put(t *testing.T, l chat.Log, e chat.Event) chat.Event {
	t.Helper()
	stored, added, err := l.Append(t.Context(), e)
	if err != nil || !added {
		t.Fatalf("Append(%s) = added %v, %v", e.UUID, added, err)
	}
	return stored
}

// read reads or fails the test.
func read(t *testing.T, l chat.Log, flow chat.FlowID, s chat.Span) []chat.Event {
	t.Helper()
	events, err := l.Read(t.Context(), flow, s)
	if err != nil {
		t.Fatalf("Read(%+v): %v", s, err)
	}
	return events
}

func seqs(events []chat.Event) []chat.Seq {
	out := []chat.Seq{}
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func document(t *testing.T, e chat.Event) string {
	t.Helper()
	b, err := e.Document()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func appendNumbers(t *testing.T, l chat.Log) {
	for i := range chat.Seq(3) {
		for flow := range byte(2) {
			e := Event(FlowID(flow), fmt.Sprint("u", i), "x")
			e.Seq = 99 // does not count
			if got := put(t, l, e).Seq; got != i+1 {
				t.Errorf("flow %d: event %d got number %d", flow, i+1, got)
			}
		}
	}
	heads, err := l.Heads(t.Context(), []chat.FlowID{FlowID(0), FlowID(1), FlowID(2)})
	if err != nil {
		t.Fatal(err)
	}
	if heads[FlowID(0)] != 3 || heads[FlowID(1)] != 3 || heads[FlowID(2)] != 0 || len(heads) != 3 {
		t.Errorf("heads = %v", heads)
	}
}

func appendKeeps(t *testing.T, l chat.Log) {
	e := Event(FlowID(1), "u", "Grüße, \"世界\" \u2028 </script> 🎈")
	e.Tags, e.Outbox, e.External = []string{"a", ":unread:*"}, []chat.Work{{Do: chat.DoMention}}, "robot"
	stored := put(t, l, e)
	e.Seq = 1
	if document(t, stored) != document(t, e) {
		t.Errorf("stored %s\nwant   %s", document(t, stored), document(t, e))
	}
	if got := read(t, l, FlowID(1), chat.Span{Limit: 1})[0]; document(t, got) != document(t, e) {
		t.Errorf("read %s\nwant %s", document(t, got), document(t, e))
	}
	if got, err := l.Find(t.Context(), FlowID(1), "u"); err != nil || document(t, got) != document(t, e) {
		t.Errorf("found %s, %v", document(t, got), err)
	}
	if _, err := l.Find(t.Context(), FlowID(2), "u"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("found in another flow: %v", err)
	}
}

func sameUUID(t *testing.T, l chat.Log) {
	first := put(t, l, Event(FlowID(1), "u", "first"))
	put(t, l, Event(FlowID(1), "v", "second"))
	again, added, err := l.Append(t.Context(), Event(FlowID(1), "u", "changed"))
	if err != nil || added || document(t, again) != document(t, first) {
		t.Errorf("Append with a known UUID = %s, added %v, %v", document(t, again), added, err)
	}
	if other := put(t, l, Event(FlowID(2), "u", "elsewhere")); other.Seq != 1 {
		t.Errorf("the UUID counts in another flow: %d", other.Seq)
	}
	if got := seqs(read(t, l, FlowID(1), chat.Span{Limit: 9})); !slices.Equal(got, []chat.Seq{1, 2}) {
		t.Errorf("log has %v", got)
	}
}

func concurrentAppends(t *testing.T, l chat.Log) {
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				// Half of the UUIDs are written by two writers.
				if _, _, err := l.Append(t.Context(), Event(FlowID(1), fmt.Sprintf("u%d-%d", w/2*2, i/2*2+i%2*w%2), "x")); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	checkDense(t, l, FlowID(1))
}

// checkDense checks that a flow has every number once and every UUID once,
// and returns its events by UUID.
func checkDense(t *testing.T, l chat.Log, flow chat.FlowID) map[string]chat.Event {
	t.Helper()
	byUUID := map[string]chat.Event{}
	for i, e := range read(t, l, flow, chat.Span{Limit: 1 << 20}) {
		if e.Seq != chat.Seq(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
		if known, ok := byUUID[e.UUID]; ok {
			t.Fatalf("uuid %s has numbers %d and %d", e.UUID, known.Seq, e.Seq)
		}
		byUUID[e.UUID] = e
	}
	heads, err := l.Heads(t.Context(), []chat.FlowID{flow})
	if err != nil || heads[flow] != chat.Seq(len(byUUID)) {
		t.Fatalf("head is %d (%v) of %d events", heads[flow], err, len(byUUID))
	}
	return byUUID
}

func cancelledAppend(t *testing.T, l chat.Log) {
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			if i%2 == 0 {
				cancel()
			}
			_, _, err := l.Append(ctx, Event(FlowID(1), fmt.Sprint("u", i), "x"))
			if err != nil && i%2 == 1 {
				t.Errorf("append that nobody cancelled: %v", err)
			}
			cancel()
		})
	}
	wg.Wait()
	byUUID := checkDense(t, l, FlowID(1))
	for i := 1; i < 40; i += 2 {
		if _, ok := byUUID[fmt.Sprint("u", i)]; !ok {
			t.Errorf("event u%d is missing", i)
		}
	}
}

func readBySpan(t *testing.T, l chat.Log) {
	for i := range 10 {
		e := Event(FlowID(1), fmt.Sprint("u", i), "x")
		if i%3 == 2 {
			e.Kind, e.Thread = chat.KindComment, "thread"
		}
		put(t, l, e)
	}
	tests := []struct {
		name string
		span chat.Span
		want []chat.Seq
	}{
		{"from the first", chat.Span{Limit: 3}, []chat.Seq{1, 2, 3}},
		{"after", chat.Span{After: 8, Limit: 9}, []chat.Seq{9, 10}},
		{"before", chat.Span{Before: 3, Limit: 9}, []chat.Seq{1, 2}},
		{"one", chat.Span{After: 4, Before: 6, Limit: 1}, []chat.Seq{5}},
		{"newest, ascending", chat.Span{Newest: true, Limit: 3}, []chat.Seq{8, 9, 10}},
		{"newest before", chat.Span{Newest: true, Before: 8, Limit: 2}, []chat.Seq{6, 7}},
		{"kinds", chat.Span{Kinds: []chat.Kind{chat.KindComment, "none"}, Limit: 9}, []chat.Seq{3, 6, 9}},
		{"thread", chat.Span{Thread: "thread", After: 3, Limit: 9}, []chat.Seq{6, 9}},
		{"past the end", chat.Span{After: 10, Limit: 9}, []chat.Seq{}},
	}
	for _, test := range tests {
		if got := seqs(read(t, l, FlowID(1), test.span)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if got := read(t, l, FlowID(2), chat.Span{Limit: 9}); len(got) != 0 {
		t.Errorf("unknown flow has %v", seqs(got))
	}
}

func changes(t *testing.T, l chat.Log) {
	a := put(t, l, Event(FlowID(1), "a", "x"))
	b := put(t, l, Event(FlowID(1), "b", "x"))
	put(t, l, chat.Change{Message: b, By: 7, UUID: "c1"}.Edit("y"))
	put(t, l, chat.Change{Message: a, By: 7, UUID: "c2"}.Edit("y"))
	put(t, l, chat.Change{Message: b, By: 7, UUID: "c3"}.Edit("z"))
	for _, test := range []struct{ targets, want []chat.Seq }{
		{[]chat.Seq{1}, []chat.Seq{4}},
		{[]chat.Seq{2, 1, 99}, []chat.Seq{3, 4, 5}},
		{[]chat.Seq{3}, []chat.Seq{}},
		{nil, []chat.Seq{}},
	} {
		got, err := l.Changes(t.Context(), FlowID(1), test.targets)
		if err != nil || !slices.Equal(seqs(got), test.want) {
			t.Errorf("changes of %v: %v, %v, want %v", test.targets, seqs(got), err, test.want)
		}
	}
}

func redact(t *testing.T, l chat.Log) {
	put(t, l, Event(FlowID(1), "a", "secret"))
	put(t, l, Event(FlowID(1), "b", "stays"))
	for range 2 {
		if err := l.Redact(t.Context(), FlowID(1), 1, chat.Event.Redacted); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Redact(t.Context(), FlowID(1), 99, chat.Event.Redacted); err != nil {
		t.Errorf("redact of nothing: %v", err)
	}
	events := read(t, l, FlowID(1), chat.Span{Limit: 9})
	if len(events) != 2 || events[0].Text() != "" || !events[0].Deleted || events[0].UUID != "a" || events[1].Text() != "stays" {
		t.Errorf("log has %s and %s", document(t, events[0]), document(t, events[1]))
	}
	if again, added, err := l.Append(t.Context(), Event(FlowID(1), "a", "secret")); err != nil || added || again.Seq != 1 {
		t.Errorf("its UUID was forgotten: number %d, added %v, %v", again.Seq, added, err)
	}
}
