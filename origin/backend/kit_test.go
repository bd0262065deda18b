package backend_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	accounts "landfall/origin/accounts/sqlite"
	"landfall/origin/backend"
	"landfall/origin/bus/local"
	"landfall/origin/chat"
	"landfall/origin/chat/chattest"
	store "landfall/origin/store/sqlite"
)

// data is what processes of an origin share.
type data struct {
	log      chat.Log
	accounts chat.Accounts
	bus      chat.Bus
	org      chat.Organization
	ann, bob chat.User // members of flow
}

var flow = chattest.FlowID(1)

func newData(t *testing.T) *data {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &data{bus: new(local.Bus)}
	if d.log, err = store.NewLog(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if d.accounts, err = accounts.New(t.Context(), db.Write, db.Read, db.Path); err != nil {
		t.Fatal(err)
	}
	d.org, d.ann = chattest.Found(t, d.accounts)
	d.bob = chattest.AddUser(t, d.accounts, d.org.ID, "bob")
	chattest.Join(t, d.accounts, flow, d.bob.ID)
	return d
}

// backend makes a backend over the data that runs until the test ends.
func (d *data) backend(t *testing.T, change func(*backend.Config)) *backend.Backend {
	b := d.idle(t, change)
	d.run(t, b)
	return b
}

// idle makes a backend that does not run.
func (d *data) idle(t *testing.T, change func(*backend.Config)) *backend.Backend {
	cfg := backend.Config{
		Log: d.log, Accounts: d.accounts, Bus: d.bus, Poll: 20 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&cfg)
	}
	b, err := backend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (d *data) run(t *testing.T, b *backend.Backend) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

func draft(by chat.User, uuid, text string) chat.Draft {
	return chat.Draft{Flow: flow, By: by.ID, Kind: chat.KindMessage, Content: text, UUID: uuid}
}

func post(t *testing.T, b *backend.Backend, d chat.Draft) chat.Event {
	t.Helper()
	e, added, err := b.Post(t.Context(), d)
	if err != nil || !added {
		t.Fatalf("Post(%s) = added %v, %v", d.UUID, added, err)
	}
	return e
}

// fill puts messages of Ann's into the log, past the backend.
func (d *data) fill(t *testing.T, n int, draft func(i int) chat.Draft) {
	t.Helper()
	for i := 1; i <= n; i++ {
		if _, added, err := d.log.Append(t.Context(), chat.Compose(draft(i), chat.Setting{Sent: time.Now()})); err != nil || !added {
			t.Fatalf("Append = %v, %v", added, err)
		}
	}
}

func subscribe(t *testing.T, b *backend.Backend, from chat.Cursor) *backend.Subscription {
	t.Helper()
	s, err := b.Subscribe(t.Context(), backend.Reader{Flows: []chat.FlowID{flow}, From: from})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// collect polls until an event satisfies done, and returns all up to it.
func collect(t *testing.T, s *backend.Subscription, done func(backend.Delivery) bool) []backend.Delivery {
	t.Helper()
	var all []backend.Delivery
	for {
		select {
		case <-s.Ready():
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing more came after %d events", len(all))
		}
		batch, err := s.Poll()
		if err != nil {
			t.Fatalf("Poll: %v", err)
		}
		for _, d := range batch {
			if all = append(all, d); done(d) {
				return all
			}
		}
	}
}

// upTo is done at an event of this number.
func upTo(seq chat.Seq) func(backend.Delivery) bool {
	return func(d backend.Delivery) bool { return d.Event.Seq >= seq }
}

// checkSequence checks that the numbers go up from first without gap or
// repeat.
func checkSequence(t *testing.T, got []backend.Delivery, first chat.Seq) {
	t.Helper()
	for i, d := range got {
		if want := first + chat.Seq(i); d.Event.Seq != want {
			t.Fatalf("event %d has number %d, want %d", i, d.Event.Seq, want)
		}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in 20 s", what)
		}
	}
}

// badBus loses, doubles and reorders signals, as its contract lets it.
type badBus struct {
	chat.Bus

	mu   sync.Mutex
	rand *rand.Rand
	late []chat.Signal
}

func (b *badBus) Publish(ctx context.Context, s chat.Signal) error {
	b.mu.Lock()
	var now []chat.Signal
	switch b.rand.IntN(4) {
	case 0: // lost
	case 1:
		now = []chat.Signal{s, s}
	case 2:
		b.late = append(b.late, s)
	default:
		now = append([]chat.Signal{s}, b.late...)
		b.late = nil
	}
	b.mu.Unlock()
	for _, s := range now {
		if err := b.Bus.Publish(ctx, s); err != nil {
			return fmt.Errorf("inner bus: %w", err)
		}
	}
	return nil
}
