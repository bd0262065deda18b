package backend_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"landfall/origin/backend"
	"landfall/origin/bus/local"
	"landfall/origin/chat"
)

func TestEveryReaderGetsTheSameSequence(t *testing.T) {
	d := newData(t)
	d.bus = &badBus{Bus: new(local.Bus), rand: rand.New(rand.NewPCG(1, 2))}
	// Two processes, one of which does not hear reliably of the other.
	nodes := []*backend.Backend{d.backend(t, nil), d.backend(t, nil)}
	posters, each := 4, 60
	if testing.Short() {
		each = 20
	}
	seen := &witness{last: chat.Seq(posters*each + 2), events: map[chat.Seq][]byte{}} // with Ann's and Bob's entries

	var readers, writers sync.WaitGroup
	for r := range uint64(6) {
		readers.Go(func() { seen.read(t, nodes, rand.New(rand.NewPCG(r, 0))) })
	}
	for p := range posters {
		writers.Go(func() {
			for i := range each {
				dr := draft(d.ann, fmt.Sprintf("u%d-%d", p, i), "")
				if _, _, err := nodes[0].Post(t.Context(), dr); err == nil { // must not take a number
					t.Error("a blank message was taken")
				}
				dr.Content = strings.Repeat("x", 1+i*20)
				if _, _, err := nodes[i%2].Post(t.Context(), dr); err != nil {
					t.Errorf("post: %v", err)
				}
			}
		})
	}
	writers.Wait()
	readers.Wait()
	if len(seen.events) != int(seen.last) {
		t.Errorf("%d events were seen, want %d", len(seen.events), seen.last)
	}
	eventually(t, "no subscriber is left", func() bool {
		return nodes[0].Stats().Subscribers == 0 && nodes[1].Stats().Subscribers == 0
	})
}

// witness knows what readers have seen.
type witness struct {
	last chat.Seq // of the flow

	mu     sync.Mutex
	events map[chat.Seq][]byte
}

// read reads the flow from its beginning, leaving and coming back with the
// cursor, here or there.
func (w *witness) read(t *testing.T, nodes []*backend.Backend, rnd *rand.Rand) {
	cursor := chat.Cursor{flow: 0}
	for cursor[flow] < w.last {
		s, err := nodes[rnd.IntN(2)].Subscribe(t.Context(), backend.Reader{Flows: []chat.FlowID{flow, flow}, From: cursor})
		if err != nil {
			t.Error(err)
			return
		}
		for stay := cursor[flow] + chat.Seq(1+rnd.IntN(60)); cursor[flow] < min(stay, w.last); {
			<-s.Ready()
			batch, err := s.Poll()
			if err != nil {
				t.Error(err)
				return
			}
			for _, d := range batch {
				if want := cursor[flow] + 1; d.Event.Seq != want {
					t.Errorf("got number %d, want %d", d.Event.Seq, want)
				}
				d.Move(cursor)
				w.note(t, d)
			}
		}
		if got := s.Cursor()[flow]; got != cursor[flow] {
			t.Errorf("the subscription is at %d, its reader at %d", got, cursor[flow])
		}
		s.Close()
	}
}

// note checks that everybody is given the same.
func (w *witness) note(t *testing.T, d backend.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.events[d.Event.Seq]; ok && !bytes.Equal(known, d.JSON) {
		t.Errorf("event %d is %s and %s", d.Event.Seq, known, d.JSON)
	}
	w.events[d.Event.Seq] = d.JSON
}

func TestSubscriptionStartsFromNowWithoutACursor(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	post(t, b, draft(d.ann, "a", "before"))
	s := subscribe(t, b, nil)
	if s.Gap() != 0 || s.Cursor()[flow] != 1 {
		t.Errorf("gap %d, cursor %v", s.Gap(), s.Cursor())
	}
	post(t, b, draft(d.ann, "b", "after"))
	got := collect(t, s, upTo(2))
	checkSequence(t, got, 2)

	resumed := subscribe(t, b, chat.Cursor{flow: 0})
	if resumed.Gap() != 2 {
		t.Errorf("gap %d, want 2", resumed.Gap())
	}
	checkSequence(t, collect(t, resumed, upTo(2)), 1)

	ahead := subscribe(t, b, chat.Cursor{flow: 99}) // of a log that was restored from a backup, say
	if ahead.Cursor()[flow] != 2 {
		t.Errorf("cursor %v", ahead.Cursor())
	}
}

func TestSlowSubscriberIsCutAndResumes(t *testing.T) {
	d := newData(t)
	b := d.idle(t, func(c *backend.Config) { c.Queue = 10_000 })
	slow, quick := subscribe(t, b, nil), subscribe(t, b, nil)
	first := collect2(t, b, slow, d)
	for i := range 20 {
		post(t, b, draft(d.ann, fmt.Sprint("u", i), strings.Repeat("x", 1000)))
		if _, err := quick.Poll(); err != nil {
			t.Fatalf("the quick one was cut: %v", err)
		}
	}
	<-slow.Context().Done()
	if _, err := slow.Poll(); !errors.Is(err, backend.ErrSlow) {
		t.Fatalf("Poll of a slow subscriber: %v", err)
	}
	if n := b.Stats().Cut; n != 1 {
		t.Errorf("%d subscribers cut", n)
	}
	resumed := subscribe(t, b, slow.Cursor())
	checkSequence(t, collect(t, resumed, upTo(21)), first+1)
}

// collect2 posts one event, lets the subscription have it and returns its
// number.
func collect2(t *testing.T, b *backend.Backend, s *backend.Subscription, d *data) chat.Seq {
	t.Helper()
	e := post(t, b, draft(d.ann, "first", "x"))
	collect(t, s, upTo(e.Seq))
	return e.Seq
}

func TestEphemeralEventsLeaveNoTrace(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	s := subscribe(t, b, nil)
	before := s.Cursor().String()
	if err := b.Type(t.Context(), flow, d.ann.ID); err != nil {
		t.Fatal(err)
	}
	got := collect(t, s, func(backend.Delivery) bool { return true })
	if got[0].Event.Kind != chat.KindActivity || !bytes.Contains(got[0].JSON, []byte(`"user":"1"`)) || bytes.Contains(got[0].JSON, []byte(`"id"`)) {
		t.Errorf("got %s", got[0].JSON)
	}
	cursor := s.Cursor()
	got[0].Move(cursor)
	if cursor.String() != before {
		t.Error("the cursor moved")
	}
	for range 1000 { // nobody reads: only the newest stay
		if err := b.Type(t.Context(), flow, d.ann.ID); err != nil {
			t.Fatal(err)
		}
	}
	if batch, err := s.Poll(); err != nil || len(batch) == 0 || len(batch) > 100 {
		t.Errorf("%d ephemeral events waited, %v", len(batch), err)
	}
	if e, _ := d.log.Heads(t.Context(), []chat.FlowID{flow}); e[flow] != 0 {
		t.Errorf("the log has %d events", e[flow])
	}
}

func TestDeletedContentIsNotReplayed(t *testing.T) {
	d := newData(t)
	b := d.backend(t, nil)
	eventually(t, "entries are announced", func() bool {
		heads, err := d.log.Heads(t.Context(), []chat.FlowID{flow})
		return err == nil && heads[flow] == 2
	})
	watcher := subscribe(t, b, nil) // keeps the newest events in memory
	e := post(t, b, draft(d.ann, "a", "secret"))
	if err := b.Edit(t.Context(), flow, e.Seq, d.ann.ID, "another secret"); err != nil {
		t.Fatal(err)
	}
	collect(t, watcher, upTo(e.Seq+1))
	quote := draft(d.bob, "b", "what?")
	quote.Kind, quote.Parent = chat.KindComment, e.Seq
	comment := post(t, b, quote)
	if err := b.Edit(t.Context(), flow, comment.Seq, d.bob.ID, "how?"); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), flow, e.Seq, d.ann.ID); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Message(t.Context(), flow, e.Seq); err != nil || m.Text() != "" || !m.Deleted {
		t.Errorf("message %+v, %v", m, err)
	}
	eventually(t, "the log forgets it", func() bool {
		got := collect(t, subscribe(t, b, chat.Cursor{flow: 0}), upTo(e.Seq+4))
		return !slices.ContainsFunc(got, func(d backend.Delivery) bool { return bytes.Contains(d.JSON, []byte("secret")) })
	})
}

func TestCommentsOfADeletedMessageStay(t *testing.T) {
	d := newData(t)
	b := d.backend(t, nil)
	e := post(t, b, draft(d.ann, "a", "secret"))
	other := post(t, b, draft(d.ann, "o", "stays"))
	var comments []chat.Seq
	for uuid, parent := range map[string]chat.Seq{"c": e.Seq, "d": other.Seq} {
		dr := draft(d.bob, uuid, "text of "+uuid)
		dr.Kind, dr.Parent = chat.KindComment, parent
		comments = append(comments, post(t, b, dr).Seq)
	}
	if err := b.Delete(t.Context(), flow, e.Seq, d.ann.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the title is gone, the rest stays", func() bool {
		var all []byte
		for _, seq := range comments {
			m, err := b.Message(t.Context(), flow, seq)
			if err != nil || m.Text() != "text of "+m.UUID || len(m.Tags) != 1 {
				t.Fatalf("comment %+v, %v", m, err)
			}
			all = append(all, m.Content...)
		}
		return !bytes.Contains(all, []byte("secret")) && bytes.Contains(all, []byte("stays"))
	})
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	s := subscribe(t, b, nil)
	s.Close()
	select {
	case <-s.Context().Done():
	case <-time.After(time.Second):
		t.Fatal("the context of a closed subscription goes on")
	}
	if _, err := s.Poll(); err == nil {
		t.Error("Poll of a closed subscription succeeds")
	}
	s.Close()
	if n := b.Stats().Subscribers; n != 0 {
		t.Errorf("%d subscribers", n)
	}
}
