package backend_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall/origin/backend"
	"landfall/origin/budget"
	"landfall/origin/chat"
	"landfall/origin/chat/chattest"
)

// nobody is an organization without members.
type nobody struct{ chat.Accounts }

func (nobody) Members(context.Context, chat.FlowID) ([]chat.Member, error) { return nil, nil }

// memoryLog takes everything and keeps nothing.
type memoryLog struct {
	chat.Log
	last chat.Seq
}

func (l *memoryLog) Append(_ context.Context, e chat.Event) (chat.Event, bool, error) {
	l.last++
	e.Seq = l.last
	return e, true, nil
}

func TestWritesOfAUserAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newData(t)
		b := d.idle(t, func(c *backend.Config) { c.Log, c.Accounts = &memoryLog{Log: d.log}, nobody{d.accounts} })
		write := func(by chat.User) error {
			_, _, err := b.Post(t.Context(), draft(by, "", "x"))
			return err
		}
		n := 0
		var err error
		for start := time.Now(); err == nil && time.Since(start) < time.Minute; n++ {
			err = write(d.ann)
		}
		spent, ok := errors.AsType[*budget.Spent](err)
		if !ok || n < 1000 || n > 1200 {
			t.Fatalf("after %d messages: %v", n, err)
		}
		if err := write(d.bob); err != nil {
			t.Errorf("Bob: %v", err)
		}
		time.Sleep(spent.After)
		if err := write(d.ann); err != nil {
			t.Errorf("after %v: %v", spent.After, err)
		}
	})
}

// endlessLog has events without end, none of which anybody looks for.
type endlessLog struct {
	chat.Log
	read  int
	until chan struct{} // if not nil, the reads wait for it
}

func (l *endlessLog) Read(ctx context.Context, f chat.FlowID, s chat.Span) ([]chat.Event, error) {
	if l.until != nil {
		select {
		case <-l.until:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.read += s.Limit
	events := slices.Repeat([]chat.Event{chattest.Event(f, "u", "x")}, s.Limit)
	for i := range events {
		events[i].Seq, events[i].Kind = s.After+chat.Seq(i)+1, chat.KindEdit // nothing can change it
	}
	return events, nil
}

func TestSearchesAreBounded(t *testing.T) {
	d := newData(t)
	log := &endlessLog{Log: d.log}
	b := d.idle(t, func(c *backend.Config) { c.Log = log })
	q := chat.Query{Flow: flow, Tags: []string{"none"}, Oldest: true, Limit: 1}
	if found, err := b.Messages(t.Context(), q); err != nil || len(found) != 0 || log.read > 11_000 {
		t.Errorf("%d events were read, %d found, %v", log.read, len(found), err)
	}
}

func TestFewSearchAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newData(t)
		log := &endlessLog{Log: d.log, until: make(chan struct{})}
		b := d.idle(t, func(c *backend.Config) { c.Log = log })
		q := chat.Query{Flow: flow, Words: []string{"x"}, Limit: 1}
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := b.Messages(t.Context(), q)
				done <- err
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Messages(ctx, q); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third search: %v", err)
		}
		close(log.until)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// countedAccounts counts how often they are asked.
type countedAccounts struct {
	chat.Accounts
	asked int
}

func (c *countedAccounts) Standing(ctx context.Context, u chat.UserID, ref chat.FlowRef) (chat.Standing, error) {
	c.asked++
	return c.Accounts.Standing(ctx, u, ref)
}

func (c *countedAccounts) Standings(ctx context.Context, u chat.UserID) ([]chat.Standing, error) {
	c.asked++
	return c.Accounts.Standings(ctx, u)
}

func TestFlowsAreChosenAtOnce(t *testing.T) {
	d := newData(t)
	counted := &countedAccounts{Accounts: d.accounts}
	b := d.idle(t, func(c *backend.Config) { c.Accounts = counted })
	for _, test := range []struct {
		names []string
		want  int
		err   string
	}{
		{nil, 1, ""},
		{slices.Repeat([]string{"acme/main", flow.String()}, 500), 1000, ""},
		{[]string{"ACME:Main", "acme/none"}, 0, "not found"},
		{[]string{chattest.FlowID(9).String()}, 0, "not found"},
		{[]string{"junk"}, 0, "filter"},
		{slices.Repeat([]string{"acme/main"}, 6400), 0, "too many"},
	} {
		counted.asked = 0
		flows, err := b.Choose(t.Context(), d.ann.ID, test.names)
		if len(flows) != test.want || (err == nil) != (test.err == "") || !strings.Contains(fmt.Sprint(err), test.err) || counted.asked > 1 {
			t.Errorf("%d names: %d flows, %v, asked %d times", len(test.names), len(flows), err, counted.asked)
		}
	}
}

func TestArchivedFlowsAreOnlyRead(t *testing.T) {
	d := newData(t)
	b := d.idle(t, nil)
	f := chat.Flow{ID: chattest.FlowID(2), Org: d.org, Slug: "old", Name: "Old", Access: chat.AccessOrganization, Archived: true}
	if err := b.AddFlow(t.Context(), f, d.ann.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enter(t.Context(), d.ann.ID, chat.FlowRef{ID: f.ID}); err != nil {
		t.Errorf("to read: %v", err)
	}
	if _, err := b.Write(t.Context(), d.ann.ID, chat.FlowRef{ID: f.ID}); !errors.Is(err, chat.ErrArchived) {
		t.Errorf("to write: %v", err)
	}
	if _, err := b.Write(t.Context(), d.bob.ID, chat.FlowRef{ID: f.ID}); !errors.Is(err, chat.ErrForbidden) {
		t.Errorf("to write, for who has not joined: %v", err)
	}
}
