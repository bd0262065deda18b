package certs

import (
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// infoOf is the state of a host's certificate.
func infoOf(t *testing.T, k *Keeper, host string) Info {
	t.Helper()
	for _, i := range k.List() {
		if slices.Contains(i.Hosts, host) {
			return i
		}
	}
	t.Fatalf("no certificate of %s in %+v", host, k.List())
	return Info{}
}

func withExternal(m *landfall.Map, hosts ...string) *landfall.Map {
	m = m.Clone()
	for _, h := range hosts {
		m.Services = append(m.Services, landfall.Service{Host: h, External: true, Upstream: landfall.UpstreamChat})
	}
	return m
}

func TestKeeperOrdersOnceAndRenewsInTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		m := trusting(withExternal(network("shop.landfall.test", "chat.landfall.test"), "app.other.test"), a)
		k, stop := runKeeper(t, dir, n, m)
		synctest.Wait()
		list := k.List()
		if len(list) != 2 || n.ordered() != 2 {
			t.Fatalf("%d orders, %+v", n.ordered(), list)
		}
		inside := infoOf(t, k, "chat.landfall.test")
		if !slices.Equal(inside.Hosts, []string{"chat.landfall.test", "shop.landfall.test"}) || inside.State != "good" || inside.Authority != "one" || inside.Err != "" {
			t.Errorf("%+v", inside)
		}
		if got := contents(t, dir); strings.Count(got, ".json -rw-------") != 2 || strings.Count(got, "BEGIN") != 4 {
			t.Errorf("directory:\n%s", got)
		}

		// A start finds what there is.
		stop()
		k, _ = runKeeper(t, dir, n, m)
		synctest.Wait()
		if got := infoOf(t, k, "chat.landfall.test"); got.Serial != inside.Serial || n.ordered() != 2 {
			t.Errorf("after the restart: %d orders, %+v", n.ordered(), got)
		}
		// Nothing before it is due, and then once, with another key.
		time.Sleep(time.Until(inside.Next) - time.Minute)
		if n.ordered() > 3 || infoOf(t, k, "chat.landfall.test").Serial != inside.Serial {
			t.Errorf("%d orders before it was due", n.ordered())
		}
		time.Sleep(LeafLife / 20)
		if got := infoOf(t, k, "chat.landfall.test"); got.Serial == inside.Serial || n.ordered() != 4 {
			t.Errorf("%d orders after it was due, %+v", n.ordered(), got)
		}
		if s := k.Stats(); s.Renewals != 2 || s.Orders != 2 || s.Failures != 0 || s.Days["app.other.test"] < 40 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOneHostsFailureHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		n.set("app.other.test", &Refusal{Host: "app.other.test", Type: "unauthorized", Words: "no TXT record", Cure: "make one"})
		m := trusting(withExternal(network("chat.landfall.test"), "app.other.test", "web.third.test"), a)
		k, _ := runKeeper(t, t.TempDir(), n, m)
		synctest.Wait()
		for host, want := range map[string]string{"chat.landfall.test": "good", "web.third.test": "good", "app.other.test": "waiting"} {
			if got := infoOf(t, k, host); got.State != want {
				t.Errorf("%s: %+v", host, got)
			}
		}
		bad := infoOf(t, k, "app.other.test")
		if want := `host "app.other.test": the authority refuses: "no TXT record" (unauthorized): make one`; bad.Err != want || time.Until(bad.Next) != time.Minute {
			t.Errorf("%+v", bad)
		}
		// One minute, doubling to six hours.
		start := n.ordered()
		time.Sleep(time.Hour)
		if got := n.ordered() - start; got != 5 {
			t.Errorf("%d more attempts in an hour", got)
		}
		time.Sleep(6 * 24 * time.Hour)
		if got := n.ordered() - start; got < 26 || got > 32 {
			t.Errorf("%d more attempts in six days", got)
		}
		n.set("app.other.test", nil)
		time.Sleep(retryLast)
		if got := infoOf(t, k, "app.other.test"); got.State != "good" || got.Err != "" {
			t.Errorf("%+v", got)
		}
	})
}

func TestRateLimitsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		n.set("chat.landfall.test", &Refusal{Type: "rateLimited", Words: "too many", Again: time.Now().Add(30 * time.Hour)})
		k, _ := runKeeper(t, t.TempDir(), n, trusting(network("chat.landfall.test"), a))
		time.Sleep(30*time.Hour - time.Second)
		if n.ordered() != 1 {
			t.Errorf("asked %d times in spite of the limit", n.ordered())
		}
		n.set("chat.landfall.test", nil)
		time.Sleep(2 * time.Second)
		if got := infoOf(t, k, "chat.landfall.test"); got.State != "good" {
			t.Errorf("%+v", got)
		}
	})
}

// A process that starts over and over asks no more often than one that stays.
func TestRestartsBurnNoRateLimit(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		n.set("chat.landfall.test", errors.New("no"))
		m := trusting(network("chat.landfall.test"), a)
		for range 75 {
			_, stop := runKeeper(t, dir, n, m)
			time.Sleep(47 * time.Second) // never when an attempt is due
			stop()
		}
		if got := n.ordered(); got != 6 {
			t.Errorf("%d attempts in an hour of restarts", got)
		}
	})
}

func TestAnAttemptThatNobodySawTheEndOfCounts(t *testing.T) {
	now := time.Now()
	r := record{Hosts: []string{"a.test"}}
	for i, want := range []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute} {
		r = r.begin("one", now)
		if at := r.attend(nil, "one", now); at.Sub(now) != want {
			t.Errorf("after %d attempts: the next in %v, want %v", i+1, at.Sub(now), want)
		}
	}
	if at := r.attend(nil, "two", now); !at.Equal(now) {
		t.Error("another authority has to wait")
	}
	r.Hosts = []string{"a.test", "b.test"}
	if at := r.attend(nil, "one", now); !at.Equal(now) {
		t.Error("other hosts have to wait")
	}
}

func TestNewHostsOrderAnewWhileTheOldServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		m := trusting(network("a.landfall.test", "b.landfall.test"), a)
		k, _ := runKeeper(t, t.TempDir(), n, m)
		synctest.Wait()
		n.set("c.landfall.test", errors.New("no"))
		k.SetMap(trusting(network("a.landfall.test", "b.landfall.test", "c.landfall.test"), a))
		synctest.Wait()
		old := infoOf(t, k, "a.landfall.test")
		if s := k.Stats(); old.Serial == "" || s.Days["a.landfall.test"] < 40 || s.Days["c.landfall.test"] != noDays {
			t.Errorf("%+v, %+v", old, s)
		}
		bundle, err := k.shelf.wait(t.Context(), "")
		if certs, err2 := parseBundle(bundle); err != nil || err2 != nil || !covers(certs[0], []string{"a.landfall.test", "b.landfall.test"}) {
			t.Errorf("the old one does not serve: %v, %v", err, err2)
		}
		n.set("c.landfall.test", nil)
		time.Sleep(time.Minute + time.Second)
		if got := infoOf(t, k, "c.landfall.test"); got.State != "good" {
			t.Errorf("%+v", got)
		}
		// A host that goes needs no other certificate.
		orders := n.ordered()
		k.SetMap(trusting(network("b.landfall.test", "c.landfall.test"), a))
		synctest.Wait()
		if got := infoOf(t, k, "b.landfall.test"); n.ordered() != orders || len(got.Hosts) != 2 {
			t.Errorf("%d orders for a host less, %+v", n.ordered()-orders, got)
		}
	})
}

func TestAnotherAuthorityReplacesWhatTheOldOneSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		one, two := newNotary(a, "one"), newNotary(a, "two")
		k, err := NewKeeper(KeeperConfig{Dir: openRoot(t, t.TempDir()), Signer: func(m *landfall.Map) (Signer, error) {
			switch m.Domain {
			case "landfall.test":
				return one, nil
			case "test":
				return two, nil
			}
			return nil, errors.New("nobody for that")
		}})
		if err != nil {
			t.Fatal(err)
		}
		m := trusting(network("a.landfall.test"), a)
		k.SetMap(m)
		background(t, k.Run)
		synctest.Wait()
		m = m.Clone()
		m.Domain = "other.test"
		k.SetMap(m)
		synctest.Wait()
		if got := infoOf(t, k, "a.landfall.test"); !strings.Contains(got.Err, "nobody for that") {
			t.Errorf("%+v", got)
		}
		m = m.Clone()
		m.Domain = "test"
		two.set("a.landfall.test", errors.New("not yet"))
		k.SetMap(m)
		synctest.Wait()
		if bundle, err := k.shelf.wait(t.Context(), ""); err != nil || len(bundle) == 0 {
			t.Error("the old certificate is no longer served")
		}
		two.set("a.landfall.test", nil)
		time.Sleep(time.Minute + time.Second)
		if got := infoOf(t, k, "a.landfall.test"); got.Authority != "two" || one.ordered() != 1 || two.ordered() != 2 {
			t.Errorf("%d and %d orders, %+v", one.ordered(), two.ordered(), got)
		}
	})
}

func TestKeeperRefusesWhatUsersDoNotTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, other := wideAuthority(t), wideAuthority(t)
		k, _ := runKeeper(t, t.TempDir(), newNotary(a, "one"), trusting(network("a.landfall.test"), other))
		synctest.Wait()
		if got := infoOf(t, k, "a.landfall.test"); got.State != "waiting" || !strings.Contains(got.Err, "[acme] as roots") {
			t.Errorf("%+v", got)
		}
		k.SetMap(trusting(network("a.landfall.test"), a)) // and another try at once
		synctest.Wait()
		if got := infoOf(t, k, "a.landfall.test"); got.State != "good" {
			t.Errorf("%+v", got)
		}
	})
}

func TestADamagedFileIsLeftAndHoldsUpItsOwnHostsOnly(t *testing.T) {
	for _, content := range []string{"", "{", `{"hosts":["chat.landfall.test"],"chain":"x","key":"y"}`, `{"hosts":[]} more`} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			a := wideAuthority(t)
			n := newNotary(a, "one")
			file := filepath.Join(dir, "app.other.test.json")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			k, _ := runKeeper(t, dir, n, trusting(withExternal(network("chat.landfall.test"), "app.other.test"), a))
			time.Sleep(time.Hour)
			if got := infoOf(t, k, "chat.landfall.test"); got.State != "good" {
				t.Errorf("%+v", got)
			}
			if got := infoOf(t, k, "app.other.test"); got.State != "damaged" || !strings.Contains(got.Err, file) || !strings.Contains(got.Err, "remove it") {
				t.Errorf("%q: %+v", content, got)
			}
			if b, err := os.ReadFile(file); err != nil || string(b) != content || n.ordered() != 1 {
				t.Errorf("%q was overwritten with %q", content, b)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour)
			if got := infoOf(t, k, "app.other.test"); got.State != "good" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestServicesThatGoKeepTheirCertificateUntilItEnds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := wideAuthority(t)
		n := newNotary(a, "one")
		with, without := trusting(withExternal(network("chat.landfall.test"), "app.other.test"), a), trusting(network("chat.landfall.test"), a)
		k, _ := runKeeper(t, dir, n, with)
		synctest.Wait()
		first := infoOf(t, k, "app.other.test").Serial
		k.SetMap(without)
		time.Sleep(time.Hour)
		bundle, err := k.shelf.wait(t.Context(), "")
		if certs, err2 := parseBundle(bundle); err != nil || err2 != nil || len(certs) != 1 || len(k.List()) != 1 {
			t.Errorf("%d certificates for one service, list %+v", len(certs), k.List())
		}
		k.SetMap(with)
		synctest.Wait()
		if got := infoOf(t, k, "app.other.test"); got.Serial != first || n.ordered() != 2 {
			t.Errorf("%d orders, %+v", n.ordered(), got)
		}
		k.SetMap(without)
		time.Sleep(LeafLife + 2*time.Hour)
		if got := contents(t, dir); strings.Contains(got, "app.other.test") {
			t.Errorf("it is still there:\n%s", got)
		}
	})
}

func TestSignersAnswersAreChecked(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	key := newKey(t, elliptic.P256())
	request := csr(t, key, x509.CertificateRequest{})
	chain, err := a.Sign(t.Context(), request, []string{"chat.landfall.test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		chain []byte
		other bool
		host  string
		at    time.Time
		want  string
	}{
		{"good", chain, false, "chat.landfall.test", time.Now(), ""},
		{"empty", nil, false, "chat.landfall.test", time.Now(), "no certificate"},
		{"another key", chain, true, "chat.landfall.test", time.Now(), "does not belong"},
		{"another host", chain, false, "shop.landfall.test", time.Now(), "not for shop.landfall.test"},
		{"not yet valid", chain, false, "chat.landfall.test", time.Now().Add(-2 * skew), "do the clocks agree"},
		{"soon over", chain, false, "chat.landfall.test", time.Now().Add(LeafLife * 9 / 10), "do the clocks agree"},
	} {
		k := key
		if c.other {
			k = newKey(t, elliptic.P256())
		}
		_, err := accept(c.chain, k, []string{c.host}, c.at)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
