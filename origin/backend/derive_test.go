package backend_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"landfall/origin/backend"
	"landfall/origin/chat"
	"landfall/origin/chat/chattest"
)

func (d *data) unread(t *testing.T, user chat.User) int {
	t.Helper()
	s, err := d.accounts.Standing(t.Context(), user.ID, chat.FlowRef{ID: flow})
	if err != nil {
		t.Fatal(err)
	}
	return s.Unread
}

func TestWorkOfADeadProcessIsDone(t *testing.T) {
	d := newData(t)
	dead := d.idle(t, nil) // commits, and never gets to what follows
	post(t, dead, draft(d.ann, "a", "hello @bob"))
	secret := post(t, dead, draft(d.ann, "b", "secret"))
	post(t, dead, draft(d.bob, "c", "hello @everyone"))
	if err := dead.Delete(t.Context(), flow, secret.Seq, d.ann.ID); err != nil {
		t.Fatal(err)
	}

	d.backend(t, nil)
	eventually(t, "mentions are counted", func() bool { return d.unread(t, d.ann) == 1 && d.unread(t, d.bob) == 1 })
	eventually(t, "entries are announced, once", func() bool {
		events, err := d.log.Read(t.Context(), flow, chat.Span{Kinds: []chat.Kind{chat.KindAction}, Limit: 9})
		left, err2 := d.accounts.Announcements(t.Context(), 9)
		return err == nil && err2 == nil && len(events) == 2 && len(left) == 0
	})
	events, err := d.log.Read(t.Context(), flow, chat.Span{After: secret.Seq - 1, Limit: 1})
	if err != nil || events[0].Text() != "" {
		t.Errorf("the log still has %+v, %v", events, err)
	}
}

// shakyAccounts fail every other time, before or after the deed.
type shakyAccounts struct {
	chat.Accounts

	mu sync.Mutex
	n  int
}

var errShaky = errors.New("connection is lost")

func (a *shakyAccounts) shake(deed func() error) error {
	a.mu.Lock()
	a.n++
	n := a.n
	a.mu.Unlock()
	if n%4 == 1 {
		return errShaky
	}
	if err := deed(); err != nil || n%4 != 2 {
		return err
	}
	return errShaky
}

func (a *shakyAccounts) Derive(ctx context.Context, f chat.FlowID, from, to chat.Seq, m []chat.Mention) (moved bool, err error) {
	err = a.shake(func() (err error) {
		moved, err = a.Accounts.Derive(ctx, f, from, to, m)
		return err
	})
	return moved, err
}

func (a *shakyAccounts) Withdraw(ctx context.Context, uuid string) error {
	return a.shake(func() error { return a.Accounts.Withdraw(ctx, uuid) })
}

func TestDerivedWorkIsDoneOnceWhateverFails(t *testing.T) {
	d := newData(t)
	shaky := &shakyAccounts{Accounts: d.accounts}
	b := d.backend(t, func(c *backend.Config) { c.Accounts = shaky })
	const n = 40
	for i := range n {
		post(t, b, draft(d.ann, fmt.Sprint("u", i), "hello @bob"))
	}
	eventually(t, "all mentions are counted", func() bool { return d.unread(t, d.bob) >= n })
	if got := d.unread(t, d.bob); got != n {
		t.Errorf("%d mentions counted, want %d", got, n)
	}
	heads, err := d.log.Heads(t.Context(), []chat.FlowID{flow})
	if err != nil || heads[flow] != n+2 {
		t.Errorf("the log has %d events, want %d messages and two entries", heads[flow], n)
	}
}

func TestMarksMoveWithoutWork(t *testing.T) {
	d := newData(t)
	d.fill(t, 260, func(i int) chat.Draft { return draft(d.ann, fmt.Sprint("u", i), "nothing follows") })
	d.backend(t, nil)
	eventually(t, "the mark has moved", func() bool {
		marks, err := d.accounts.Derived(t.Context())
		return err == nil && marks[flow] >= 256
	})
}

func TestSeenMentionsAreNotCounted(t *testing.T) {
	d := newData(t)
	b := d.backend(t, nil)
	e := post(t, b, draft(d.ann, "a", "hello @bob"))
	if err := b.Seen(t.Context(), flow, d.bob.ID, e.Seq+1000); err != nil { // a client may say anything
		t.Fatal(err)
	}
	post(t, b, draft(d.ann, "b", "hello again, @bob"))
	eventually(t, "the second is counted", func() bool { return d.unread(t, d.bob) == 1 })
}

func TestNewMembersAreAnnounced(t *testing.T) {
	d := newData(t)
	b := d.backend(t, nil)
	cid := chattest.AddUser(t, d.accounts, d.org.ID, "cid")
	s := subscribe(t, b, nil)
	if err := b.JoinFlow(t.Context(), flow, cid.ID); err != nil {
		t.Fatal(err)
	}
	collect(t, s, func(del backend.Delivery) bool {
		return del.Event.Kind == chat.KindAction && del.Event.User == cid.ID && string(del.Event.Content) == `{"type":"join"}`
	})
}
