package certs

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRenewMakesFreshKeysAndRevokes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		m := trusting(withExternal(network("a.landfall.test"), "b.other.test", "c.other.test"), a)
		k, stop := runKeeper(t, dir, n, m)
		synctest.Wait()
		before := infoOf(t, k, "a.landfall.test").Serial
		key := string(keyOf(t, k, "a.landfall.test"))
		if err := k.Renew(t.Context(), []string{"a.landfall.test"}, Wanted); err != nil {
			t.Fatal(err)
		}
		if infoOf(t, k, "a.landfall.test").Serial == before || string(keyOf(t, k, "a.landfall.test")) == key || n.tookBack() != 0 || n.ordered() != 4 {
			t.Errorf("%d orders, %d revoked", n.ordered(), n.tookBack())
		}
		for _, err := range []error{
			k.Renew(t.Context(), []string{"who.landfall.test"}, Wanted),
			k.Renew(t.Context(), nil, "boredom"),
		} {
			if err == nil || !strings.Contains(err.Error(), "who.landfall.test") && !strings.Contains(err.Error(), "boredom") {
				t.Errorf("%v", err)
			}
		}
		// A service that is gone: its key may be known too.
		k.SetMap(trusting(withExternal(network("a.landfall.test"), "b.other.test"), a))
		synctest.Wait()
		n.setRevoke(errors.New("come back later"))
		err := k.Renew(t.Context(), nil, KeyCompromise)
		if err == nil || strings.Count(err.Error(), "come back later") != 3 || n.ordered() != 6 {
			t.Errorf("%d orders: %v", n.ordered(), err)
		}
		if bundle, err := k.shelf.wait(t.Context(), ""); err != nil || strings.Contains(string(bundle), before) {
			t.Error(err)
		}
		// What was not revoked is not forgotten, across a restart either.
		stop()
		n.setRevoke(nil)
		k, _ = runKeeper(t, dir, n, m)
		time.Sleep(2 * time.Minute)
		if n.tookBack() != 3 || k.Stats().Revoked != 3 {
			t.Errorf("%d revoked", n.tookBack())
		}
		if got := infoOf(t, k, "a.landfall.test"); got.State != "good" || got.Revoking != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Whom nobody asks what it revoked cannot revoke; that is said, and no more
// is tried.
func TestOwnAuthorityCannotRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := openAuthority(t, t.TempDir())
		k, _ := runKeeper(t, t.TempDir(), a, trusting(network("a.landfall.test"), a))
		synctest.Wait()
		before := infoOf(t, k, "a.landfall.test").Serial
		err := k.Renew(t.Context(), nil, KeyCompromise)
		if !errors.Is(err, ErrNoRevocation) || !strings.Contains(err.Error(), before) {
			t.Errorf("%v", err)
		}
		if got := infoOf(t, k, "a.landfall.test"); got.State != "good" || got.Serial == before || got.Err != "" || got.Revoking != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestRenewEndsWithTheKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		n.set("a.landfall.test", errHang)
		k, stop := runKeeper(t, t.TempDir(), n, trusting(network("a.landfall.test"), a))
		synctest.Wait()
		done := make(chan error)
		go func() { done <- k.Renew(t.Context(), nil, Wanted) }()
		synctest.Wait()
		if got := infoOf(t, k, "a.landfall.test"); got.State != "ordering" {
			t.Errorf("%+v", got)
		}
		stop()
		if err := <-done; !errors.Is(err, ErrStopped) {
			t.Errorf("%v", err)
		}
	})
}

func keyOf(t *testing.T, k *Keeper, host string) []byte {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range k.groups {
		if covers(g.cert, []string{host}) {
			return []byte(g.rec.Key)
		}
	}
	t.Fatalf("no key for %s", host)
	return nil
}
