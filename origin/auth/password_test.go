package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"landfall/origin/auth"
	"landfall/origin/budget"
	"landfall/origin/chat"
	"landfall/origin/origintest"
)

const ann = "ann@acme.test"

// from is a request of a client.
func from(t *testing.T, client string) context.Context {
	return auth.WithClient(t.Context(), netip.MustParseAddr(client))
}

func spent(err error) bool { _, ok := errors.AsType[*budget.Spent](err); return ok }

// cheapAccounts have hashes that cost nothing to compare with.
type cheapAccounts struct{ chat.Accounts }

func (c cheapAccounts) Password(ctx context.Context, email string) (chat.User, string, error) {
	u, _, err := c.Accounts.Password(ctx, email)
	return u, "no hash: nothing matches", err
}

func TestGuessesAtAnAccountAreCounted(t *testing.T) {
	k := origintest.New(t)
	c := &clock{}
	a, err := auth.New(k.Accounts, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Password(from(t, "192.0.2.1"), ann, origintest.Password); err != nil {
		t.Fatal(err)
	}
	c.at.Add(time.Hour.Milliseconds())
	tried := 0
	for i := range 50 { // each from elsewhere
		if _, err := a.Password(from(t, fmt.Sprintf("198.51.100.%d", i)), "ANN@acme.test", "wrong"); !spent(err) {
			tried++
		}
	}
	if tried > 10 {
		t.Errorf("%d guesses were tried", tried)
	}
	if _, err := a.Password(from(t, "203.0.113.1"), ann, origintest.Password); !spent(err) {
		t.Errorf("from elsewhere, after the guesses: %v", err)
	}
	if _, err := a.Password(from(t, "192.0.2.1"), ann, origintest.Password); err != nil {
		t.Errorf("from where Ann has been before: %v", err)
	}
	c.at.Add(time.Hour.Milliseconds())
	if _, err := a.Password(from(t, "203.0.113.1"), ann, origintest.Password); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

func TestGuessesOfAClientAreCounted(t *testing.T) {
	k := origintest.New(t)
	a, err := auth.New(cheapAccounts{k.Accounts}, origintest.Now)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := range 100 { // each at another account, from anywhere in its network
		_, err := a.Password(from(t, fmt.Sprintf("2001:db8::%x", i+1)), fmt.Sprintf("u%d@acme.test", i), "x")
		if !spent(err) {
			tried++
		}
	}
	if tried > 25 {
		t.Errorf("%d guesses were tried", tried)
	}
}

// TestOneClientKeepsNobodyOut lets one client try as much as it can while
// another signs in.
func TestOneClientKeepsNobodyOut(t *testing.T) {
	k := origintest.New(t)
	ctx, cancel := context.WithCancel(from(t, "192.0.2.66"))
	var flood sync.WaitGroup
	for i := range 60 {
		flood.Go(func() { _, _ = k.Auth.Password(ctx, fmt.Sprintf("u%d@acme.test", i), "x") })
	}
	if _, err := k.Auth.Password(from(t, "192.0.2.1"), ann, origintest.Password); err != nil {
		t.Errorf("during the flood: %v", err)
	}
	cancel()
	flood.Wait()
}

func TestFloodFromEverywhereIsTurnedAway(t *testing.T) {
	k := origintest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	var busy atomic.Int64
	var flood sync.WaitGroup
	for i := range 60 {
		client := auth.WithClient(ctx, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		flood.Go(func() {
			if _, err := k.Auth.Password(client, fmt.Sprintf("u%d@acme.test", i), "x"); errors.Is(err, auth.ErrBusy) {
				busy.Add(1)
				cancel() // the others need not wait either
			}
		})
	}
	flood.Wait()
	cancel()
	if busy.Load() == 0 {
		t.Error("nobody was turned away")
	}
	if _, err := k.Auth.Password(t.Context(), ann, origintest.Password); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}

// TestVerifiedPasswordIsNotCheckedAgain uses up what a client may try: who is
// not checked does not notice.
func TestVerifiedPasswordIsNotCheckedAgain(t *testing.T) {
	k := origintest.New(t)
	c := &clock{}
	a, err := auth.New(k.Accounts, c.now)
	if err != nil {
		t.Fatal(err)
	}
	ctx := from(t, "192.0.2.1")
	for range 2 {
		g, err := a.Password(ctx, ann, origintest.Password)
		if err != nil || a.Holds(ctx, g) != nil {
			t.Fatalf("%v, %v", g, err)
		}
		for !spent(err) {
			_, err = a.Password(ctx, ann, "wrong")
		}
	}
	c.at.Add(2 * time.Minute.Milliseconds())
	for err = nil; !spent(err); {
		_, err = a.Password(ctx, ann, "wrong")
	}
	if _, err = a.Password(ctx, ann, origintest.Password); !spent(err) {
		t.Errorf("two minutes later: %v", err)
	}
}

// TestEndOfAPassword shows that a password that is no longer the user's ends
// what it let in, and is not taken again.
func TestEndOfAPassword(t *testing.T) {
	k := origintest.New(t)
	accounts := &changedPassword{Accounts: k.Accounts}
	a, err := auth.New(accounts, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Password(t.Context(), ann, origintest.Password)
	if err != nil {
		t.Fatal(err)
	}
	accounts.hash = auth.HashPassword("another")
	if err := a.Holds(t.Context(), g); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("what it let in: %v", err)
	}
	if _, err := a.Password(t.Context(), ann, origintest.Password); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("the old one: %v", err)
	}
}

type changedPassword struct {
	chat.Accounts
	hash string
}

func (c *changedPassword) Password(ctx context.Context, email string) (chat.User, string, error) {
	u, hash, err := c.Accounts.Password(ctx, email)
	if c.hash != "" {
		hash = c.hash
	}
	return u, hash, err
}
