package keyring

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/dnssec/roll"
)

const apex = "example.test"

// laptop is a directory with a KSK that nobody looks after.
func laptop(t *testing.T) Dir {
	t.Helper()
	d, p := Dir(t.TempDir()), policy
	p.Carried = true
	if _, err := d.Begin(apex, p, time.Now()); err != nil {
		t.Fatal(err)
	}
	return d
}

func signed(t *testing.T, d Dir) bundle.Bundle {
	t.Helper()
	b, err := d.Sign(apex, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q in it", err, want)
	}
}

// Where a zone is signed by a bundle, or has been by keys that lie there, nobody
// makes it new keys: what resolvers hold would not fit them.
func TestNoKeysAreMadeBesideOthers(t *testing.T) {
	home, away := Dir(t.TempDir()), laptop(t)
	b := signed(t, away)
	if err := home.Install(b, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, err := home.Begin(apex, policy, time.Now())
	refused(t, err, "is signed elsewhere until")
	if _, err := home.Begin("other.test", policy, time.Now()); err != nil {
		t.Errorf("keys of another zone: %v", err)
	}
	b.End = time.Now().Add(-time.Second)
	if err := home.Install(b, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := home.Begin(apex, policy, time.Now()); err != nil {
		t.Errorf("once it is unsigned: %v", err)
	}

	state := filepath.Join(string(away), apex+stateEnd)
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	_, err = away.Begin(apex, policy, time.Now())
	refused(t, err, apex+".anchor is there still")
	if err := os.WriteFile(away.file("account", stateEnd), []byte(`{"email":"ops@example.test"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := away.Zones(); err != nil || len(names) != 1 {
		t.Errorf("the directory is of %v: %v", names, err)
	}
	if err := os.Remove(away.Anchor(apex)); err != nil {
		t.Fatal(err)
	}
	_, err = away.Begin(apex, policy, time.Now())
	refused(t, err, "a key of example.test is there")
}

// Bundles follow each other in the order in which they were made, although they
// last equally long: for who installs them, and for who serves by them.
func TestOlderBundlesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home, away, s := Dir(t.TempDir()), laptop(t), &servers{}
		first := signed(t, away)
		time.Sleep(time.Second)
		change(t, away, func(st roll.State) (roll.State, error) { return st.Roll(roll.ZSK, second(time.Now())) })
		change(t, away, func(st roll.State) (roll.State, error) {
			st, _, _ = st.Next(second(time.Now()), roll.Facts{})
			return st, nil
		})
		next := signed(t, away)
		if !first.Until().Equal(next.Until()) {
			t.Fatalf("one lasts until %v, the next until %v", first.Until(), next.Until())
		}
		for _, b := range []bundle.Bundle{first, next, next} {
			if err := home.Install(b, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, home.Install(first, time.Now()), "was made on")
		unknown := first
		unknown.Made = time.Time{}
		refused(t, home.Install(unknown, time.Now()), "does not say when")
		late := next
		late.Made = time.Now().Add(2 * ahead)
		refused(t, home.Install(late, time.Now()), "one of two clocks is wrong")

		var log bytes.Buffer
		k := keeper(t, home, s, slog.New(slog.NewTextHandler(&log, nil)))
		stop := run(t, k)
		defer stop()
		time.Sleep(hour)
		synctest.Wait()
		if err := WriteBundle(home.file(apex, bundleEnd), first); err != nil { // by scp
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(hour)
			synctest.Wait()
			if len(s.have) != 1 || !same(s.have[0], next) {
				t.Fatal("an older bundle is served")
			}
			if n := notes(k); len(n) != 1 || !strings.Contains(n[0], "was made on") {
				t.Errorf("operators hear %q", n)
			}
		}
		if n := strings.Count(log.String(), "was made on"); n != 1 {
			t.Errorf("the log says it %d times", n)
		}
		time.Sleep(time.Second)
		if err := WriteBundle(home.file(apex, bundleEnd), signed(t, away)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(hour)
		synctest.Wait()
		if n := notes(k); len(n) > 0 {
			t.Errorf("a newer one is there, and operators hear %q", n)
		}
	})
}

// Keys of its own and a bundle of others cannot both be right: a server that
// starts does not guess, one that runs goes on as before.
func TestKeysAndAForeignBundleAreNotMixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home, s := Dir(t.TempDir()), &servers{}
		foreign := signed(t, laptop(t))
		if err := home.Install(foreign, time.Now()); err != nil {
			t.Fatal(err)
		}
		k := keeper(t, home, s, nil)
		stop := run(t, k)
		time.Sleep(hour)
		synctest.Wait()
		own := laptop(t)
		for _, end := range []string{stateEnd, anchorEnd} {
			b, err := os.ReadFile(own.file(apex, end))
			if err := errors.Join(err, os.WriteFile(home.file(apex, end), b, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(hour)
		synctest.Wait()
		stop()
		if len(s.have) != 1 || !same(s.have[0], foreign) || len(notes(k)) != 1 {
			t.Errorf("what there was does not stay, or in silence: %q", notes(k))
		}
		refused(t, keeper(t, home, s, nil).Load(), "different keys of one zone")

		if err := WriteBundle(own.file(apex, bundleEnd), signed(t, own)); err != nil {
			t.Fatal(err)
		}
		if err := keeper(t, own, s, nil).Load(); err != nil {
			t.Errorf("a bundle of the very keys: %v", err)
		}
	})
}
