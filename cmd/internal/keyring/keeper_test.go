package keyring

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/dnssec/roll"
)

const hour = time.Hour

var policy = roll.Policy{
	KeyTTL: hour, ZoneTTL: 24 * hour, ParentTTL: 24 * hour, ParentLag: hour, Propagation: hour,
	ZSKLife: 30 * 24 * hour, Ahead: 30 * 24 * hour,
}

// servers are name servers that have what was applied, and a parent zone that
// does what CDS says after a day.
type servers struct {
	mu    sync.Mutex
	have  []bundle.Bundle
	asked time.Time // since when the parent zone is asked for what it has not
	ds    []byte
	dumb  bool // the parent zone does nothing
}

func (s *servers) apply(all []bundle.Bundle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have = all
}

// ring is what is in force; nil if the zone is unsigned.
func (s *servers) ring(now time.Time) (*dnssec.Ring, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.have) == 0 || s.have[0].Ended(now) {
		return nil, nil
	}
	return s.have[0].At(now)
}

// look is what a Looker would see.
func (s *servers) look(_ context.Context, st roll.State, now time.Time) (f roll.Facts, notes []string) {
	r, err := s.ring(now)
	v := st.At(now)
	if err != nil || (r == nil) != !v.Signed {
		return f, []string{"not there yet"}
	}
	f.Current = true
	if r != nil {
		var shown [][]byte
		for _, id := range v.Shown {
			k, _ := st.Key(id)
			shown = append(shown, k.Public)
		}
		signing, _ := st.Key(v.Signing)
		f.Current = slices.EqualFunc(r.Keys[0].Data, shown, bytes.Equal) && bytes.Equal(r.Key.Public, signing.Public)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Parent = roll.Parent{Known: true, None: s.ds == nil, TTL: 24 * hour}
	for _, k := range st.Keys {
		if s.ds != nil && bytes.Equal(k.Public, s.ds) {
			f.Parent.All = append(f.Parent.All, k.ID)
		}
	}
	return f, nil
}

// delegate is a day in the life of a parent zone.
func (s *servers) delegate(st roll.State, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := st.At(now)
	k, _ := st.Key(v.Asked)
	want := k.Public
	if s.dumb || v.Asked == 0 && !v.Delete || bytes.Equal(want, s.ds) {
		s.asked = time.Time{}
		return
	}
	if s.asked.IsZero() {
		s.asked = now
	}
	if now.Sub(s.asked) >= 24*hour {
		s.ds = want
	}
}

func keeper(t *testing.T, dir Dir, s *servers, log *slog.Logger) *Keeper {
	t.Helper()
	k, err := NewKeeper(KeeperConfig{Dir: dir, Look: s.look, Apply: s.apply, Every: 50 * time.Minute, Watch: 50 * time.Minute, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// notes are what operators hear of.
func notes(k *Keeper) (out []string) {
	for _, z := range k.Status(time.Now()) {
		out = append(out, z.Notes...)
	}
	return out
}

func run(t *testing.T, k *Keeper) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return func() { cancel(); running.Wait() }
}

// In seven months a zone is signed, delegated, gets new ZSKs by itself and a new
// KSK on demand, and is unsigned again. At every hour of it somebody who asks
// finds a key that the parent zone points at, signatures that have days left,
// and a key for what signs.
func TestKeysLiveAndChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s := Dir(t.TempDir()), &servers{}
		if _, err := dir.Begin("example.test", policy, time.Now()); err != nil {
			t.Fatal(err)
		}
		k := keeper(t, dir, s, nil)
		if err := k.Load(); err != nil {
			t.Fatal(err)
		}
		stop := run(t, k)
		signers := map[uint16]bool{}
		began := time.Now()
		for h := range 7 * 30 * 24 {
			switch h {
			case 50 * 24:
				change(t, dir, func(st roll.State) (roll.State, error) { return st.Roll(roll.KSK, second(time.Now())) })
			case 100 * 24: // a restart
				stop()
				k = keeper(t, dir, s, nil)
				if err := k.Load(); err != nil {
					t.Fatal(err)
				}
				stop = run(t, k)
			case 200 * 24:
				change(t, dir, func(st roll.State) (roll.State, error) { return st.Unsign(second(time.Now())) })
			}
			time.Sleep(hour)
			synctest.Wait()
			st, err := dir.State("example.test")
			if err != nil {
				t.Fatal(err)
			}
			s.delegate(st, time.Now())
			believable(t, s, signers)
		}
		stop()
		st, err := dir.State("example.test")
		if err != nil {
			t.Fatal(err)
		}
		if st.End.IsZero() || len(signers) < 6 {
			t.Errorf("after %v the zone ends at %v, and had %d ZSKs", time.Since(began), st.End, len(signers))
		}
		if left, _ := filepath.Glob(filepath.Join(string(dir), "*"+privateEnd)); len(left) > 3 {
			t.Errorf("keys that nobody uses are still there: %v", left)
		}
	})
}

func change(t *testing.T, dir Dir, how func(roll.State) (roll.State, error)) {
	t.Helper()
	if _, err := dir.Change("example.test", how); err != nil {
		t.Fatal(err)
	}
}

// believable fails if what name servers show now does not fit the parent zone.
func believable(t *testing.T, s *servers, signers map[uint16]bool) {
	t.Helper()
	now := time.Now()
	r, err := s.ring(now)
	if err != nil {
		t.Fatalf("%v: %v", now, err)
	}
	if s.ds == nil {
		return
	}
	if r == nil || !slices.ContainsFunc(r.Keys[0].Data, func(d []byte) bool { return bytes.Equal(d, s.ds) }) {
		t.Fatalf("%v: the parent zone points at a key that is not shown", now)
	}
	if r.Expires.Sub(now) < 5*24*hour {
		t.Fatalf("%v: signatures end at %v", now, r.Expires)
	}
	signers[r.Key.Tag] = true
}

// While the parent zone does nothing, nothing is removed; operators hear what is
// waited for.
func TestNothingIsRemovedBeforeTheParentZoneKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, s := Dir(t.TempDir()), &servers{}
		if _, err := dir.Begin("example.test", policy, time.Now()); err != nil {
			t.Fatal(err)
		}
		stop := run(t, keeper(t, dir, s, nil))
		defer stop()
		day := func() {
			for range 24 {
				time.Sleep(hour)
				st, err := dir.State("example.test")
				if err != nil {
					t.Fatal(err)
				}
				s.delegate(st, time.Now())
			}
		}
		for range 5 {
			day()
		}
		change(t, dir, func(st roll.State) (roll.State, error) { return st.Roll(roll.KSK, second(time.Now())) })
		s.dumb = true
		for range 60 {
			day()
		}
		st, err := dir.State("example.test")
		if err != nil {
			t.Fatal(err)
		}
		ksks := 0
		for _, k := range st.Keys {
			if k.Role == roll.KSK {
				ksks++
				if !k.Remove.IsZero() {
					t.Errorf("key %d is removed at %v", k.ID, k.Remove)
				}
			}
		}
		if ksks != 2 {
			t.Errorf("there are %d KSKs", ksks)
		}
	})
}

// A file that is damaged, or gone, leaves what there was; the log says which.
func TestDamagedFilesLeaveWhatThereWas(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"example.test.json: ": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "example.test.json"), []byte("{"), 0o644)
		},
		"it is gone": func(dir string) error { return os.Remove(filepath.Join(dir, "example.test.json")) },
		"are gone": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "example.test.json")), os.Remove(filepath.Join(dir, "example.test.anchor")))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			dir, s := Dir(t.TempDir()), &servers{}
			if _, err := dir.Begin("example.test", policy, time.Now()); err != nil {
				t.Fatal(err)
			}
			k := keeper(t, dir, s, slog.New(slog.NewTextHandler(&log, nil)))
			stop := run(t, k)
			time.Sleep(hour)
			if err := harm(string(dir)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(hour)
			stop()
			if r, err := s.ring(time.Now()); r == nil || err != nil {
				t.Errorf("%s: the zone is not signed any more: %v", name, err)
			}
			if !strings.Contains(log.String(), name) || len(notes(k)) == 0 {
				t.Errorf("%s: the log does not say it: %s", name, log.String())
			}
		})
	}
}

// What is carried is installed, warned of before it ends, and not replaced by
// something older.
func TestBundlesAreInstalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policy
		p.Carried, p.Ahead = true, 60*24*hour
		laptop, home, s := Dir(t.TempDir()), Dir(t.TempDir()), &servers{}
		if _, err := laptop.Begin("example.test", p, time.Now()); err != nil {
			t.Fatal(err)
		}
		old, err := laptop.Sign("example.test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := home.Install(old, time.Now()); err != nil {
			t.Fatal(err)
		}
		k := keeper(t, home, s, nil)
		stop := run(t, k)
		defer stop()
		time.Sleep(20 * 24 * hour)
		if notes := notes(k); len(notes) > 0 {
			t.Errorf("too soon: %v", notes)
		}
		time.Sleep(30 * 24 * hour)
		if notes := notes(k); len(notes) != 1 || !strings.Contains(notes[0], "dns keys sign --zone example.test") {
			t.Errorf("no word of the end: %v", notes)
		}
		fresh, err := laptop.Sign("example.test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := home.Install(fresh, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := home.Install(old, time.Now()); err == nil {
			t.Error("an older bundle is taken")
		}
		time.Sleep(hour)
		if notes := notes(k); len(notes) > 0 {
			t.Errorf("still: %v", notes)
		}
		if keys, err := filepath.Glob(filepath.Join(string(home), "K*")); err != nil || len(keys) > 0 {
			t.Errorf("keys are at home: %v %v", keys, err)
		}
	})
}

func TestWhoSecretsAreReadableFor(t *testing.T) {
	dir := Dir(t.TempDir())
	s, err := dir.Begin("example.test", policy, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(string(dir), "*"+privateEnd))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, info.Mode(), err)
		}
	}
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Private(s); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a secret that all can read is used: %v", err)
	}
	if _, err := dir.State("other.test"); !errors.Is(err, ErrNoKeys) {
		t.Errorf("%v", err)
	}
	if _, err := dir.Begin("example.test", policy, time.Now()); err == nil {
		t.Error("keys are made twice")
	}
}
