package certs

import (
	"crypto/elliptic"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
)

// agreed is a network whose certificates Pebble signs.
func (p *pebble) agreed(t *testing.T, m *landfall.Map) *landfall.Map {
	t.Helper()
	m = m.Clone()
	m.ACME = landfall.ACME{Agreed: true, Email: "ops@landfall.test", Directory: "https://" + p.acme + "/dir", Roots: p.roots(t)}
	m.Serial++
	return m
}

// acmeKeeper is a keeper that orders from Pebble, and its directory.
func acmeKeeper(t *testing.T, w *world, m *landfall.Map) (k *Keeper, dir string) {
	t.Helper()
	dir = t.TempDir()
	accounts := rootOf(t)
	k, err := NewKeeper(KeeperConfig{Dir: openRoot(t, dir), Signer: func(m *landfall.Map) (Signer, error) {
		return NewACME(ACMEConfig{Dir: accounts, Map: m, Policy: m.ACME, Challenges: w})
	}})
	if err != nil {
		t.Fatal(err)
	}
	k.SetMap(m)
	background(t, k.Run)
	return k, dir
}

// settle waits, in real time, until the hosts' certificates are in a state.
func settle(t *testing.T, k *Keeper, state string, hosts ...string) {
	t.Helper()
	deadline, tick := time.After(3*time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		list := k.List()
		good := func(h string) bool {
			return slices.ContainsFunc(list, func(i Info) bool { return slices.Contains(i.Hosts, h) && i.State == state })
		}
		if len(list) > 0 && !slices.ContainsFunc(hosts, func(h string) bool { return !good(h) }) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%v are not %s: %+v", hosts, state, list)
		case <-tick.C:
		}
	}
}

func TestPebbleSignsRenewsAndRevokes(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs an authority")
	}
	w := newWorld(t)
	p := newPebble(t, w)
	w.set(false, map[string]string{"_acme-challenge.app.other.example": "_acme-challenge.app.other.example.landfall.test"})
	m := p.agreed(t, withExternal(network("chat.landfall.test", "shop.landfall.test", "landfall.test"), "app.other.example"))
	k, dir := acmeKeeper(t, w, m)
	settle(t, k, "good", "chat.landfall.test", "shop.landfall.test", "landfall.test", "app.other.example")
	if list := k.List(); len(list) != 2 || !strings.HasPrefix(list[0].Issuer, "Pebble Intermediate CA") || list[0].Authority != m.ACME.Directory {
		t.Errorf("%+v", list)
	}
	// All names of an order at once, and taken away after it.
	if left, history := w.presented(); left != 0 || history != "3 0 1 0" && history != "1 0 3 0" {
		t.Errorf("challenges %s, %d are left", history, left)
	}
	if got := contents(t, dir); strings.Count(got, " -rw-------") != 2 {
		t.Errorf("directory:\n%s", got)
	}

	// An edge shows them to who trusts the authority.
	key := newSealing(t)
	m2 := m.Clone()
	m2.Nodes[1].Sealing = key.Public()
	s, _ := runSource(t, t.TempDir(), key, newHome(t, k, m2), m2)
	within(t, "certificate at the edge", s.Ready())
	c, err := s.Certificate(t.Context(), "chat.landfall.test")
	if err != nil {
		t.Fatal(err)
	}
	roots, err := Roots(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := vouched(c, roots, time.Now()); err != nil || len(c.Certificate) < 2 {
		t.Errorf("%d certificates: %v", len(c.Certificate), err)
	}

	before := infoOf(t, k, "app.other.example")
	if err := k.Renew(t.Context(), []string{"app.other.example"}, Wanted); err != nil {
		t.Fatal(err)
	}
	renewed := infoOf(t, k, "app.other.example")
	if renewed.Serial == before.Serial || !strings.Contains(p.get(t, "/cert-status-by-serial/"+before.Serial), `"Valid"`) {
		t.Errorf("%+v", renewed)
	}
	if err := k.Renew(t.Context(), nil, KeyCompromise); err != nil {
		t.Fatal(err)
	}
	status := p.get(t, "/cert-status-by-serial/"+renewed.Serial)
	if !strings.Contains(status, `"Revoked"`) || !strings.Contains(strings.Join(strings.Fields(status), ""), `"Reason":1`) {
		t.Errorf("the old certificate is not revoked for its key: %s", status)
	}
	if now := infoOf(t, k, "app.other.example"); !strings.Contains(p.get(t, "/cert-status-by-serial/"+now.Serial), `"Valid"`) || k.Stats().Revoked != 2 {
		t.Errorf("%+v, %+v", now, k.Stats())
	}
}

func TestPebbleRefusesAndWeSayWhy(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs an authority")
	}
	w := newWorld(t)
	p := newPebble(t, w)
	m := p.agreed(t, withExternal(network("chat.landfall.test"), "app.other.example"))
	k, _ := acmeKeeper(t, w, m)
	settle(t, k, "good", "chat.landfall.test")
	settle(t, k, "waiting", "app.other.example")
	if got := infoOf(t, k, "app.other.example").Err; !strings.HasPrefix(got, `host "app.other.example": the authority refuses: `) ||
		!strings.Contains(got, "(unauthorized)") || !strings.HasSuffix(got, "make _acme-challenge.app.other.example an alias: CNAME _acme-challenge.app.other.example.landfall.test") {
		t.Errorf("%s", got)
	}
	first := infoOf(t, k, "chat.landfall.test").Serial

	w.set(true, nil)
	err := k.Renew(t.Context(), []string{"chat.landfall.test"}, Wanted)
	if err == nil || !strings.Contains(err.Error(), `host "chat.landfall.test": the authority refuses: "Correct value not found for DNS challenge" (unauthorized): see that landfall.test is delegated`) {
		t.Errorf("%v", err)
	}
	if left, _ := w.presented(); left != 0 {
		t.Errorf("%d challenges are left", left)
	}
	if got := infoOf(t, k, "chat.landfall.test"); got.Serial != first || got.State != "waiting" {
		t.Errorf("%+v", got)
	}
	w.set(false, map[string]string{"_acme-challenge.app.other.example": "_acme-challenge.app.other.example.landfall.test"})

	blocked := p.agreed(t, withExternal(network(), "app.blocked.example"))
	k2, _ := acmeKeeper(t, w, blocked)
	settle(t, k2, "waiting", "app.blocked.example")
	if got := infoOf(t, k2, "app.blocked.example").Err; !strings.Contains(got, "(rejectedIdentifier): it never signs for this name") {
		t.Errorf("%s", got)
	}

	// The authority goes away, and comes back with all forgotten: what was
	// signed serves on, and a new account is made.
	p.stop()
	err = k.Renew(t.Context(), []string{"chat.landfall.test"}, Wanted)
	if err == nil || !strings.Contains(err.Error(), "authority https://"+p.acme) || !strings.Contains(err.Error(), "can this server reach it") {
		t.Errorf("%v", err)
	}
	if bundle, err := k.shelf.wait(t.Context(), ""); err != nil || infoOf(t, k, "chat.landfall.test").Serial != first || len(bundle) == 0 {
		t.Errorf("the old certificate does not serve: %v", err)
	}
	p.start(t)
	k.SetMap(p.agreed(t, m)) // with its new root
	settle(t, k, "good", "chat.landfall.test", "app.other.example")
	if infoOf(t, k, "chat.landfall.test").Serial == first {
		t.Error("not renewed when the authority was back")
	}
}

func TestPebbleIsAskedNothingBeforeItsTermsAreAgreedTo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs an authority")
	}
	w := newWorld(t)
	p := newPebble(t, w)
	policy := p.agreed(t, network("chat.landfall.test")).ACME
	policy.Agreed = false
	dir := t.TempDir()
	a, err := NewACME(ACMEConfig{Dir: openRoot(t, dir), Map: &landfall.Map{Domain: "landfall.test"}, Policy: policy, Challenges: w})
	if err != nil {
		t.Fatal(err)
	}
	request := csr(t, newKey(t, elliptic.P256()), x509.CertificateRequest{DNSNames: []string{"chat.landfall.test"}})
	_, err = a.Sign(t.Context(), request, []string{"chat.landfall.test"})
	if err == nil || !strings.Contains(err.Error(), "not agreed to (read data:text/plain,Do%20what%20thou%20wilt") {
		t.Errorf("%v", err)
	}
	if contents(t, dir) != "" {
		t.Error("an account's key was made")
	}
	policy.Agreed = true
	if a, err = NewACME(ACMEConfig{Dir: openRoot(t, dir), Map: &landfall.Map{Domain: "landfall.test"}, Policy: policy, Challenges: w}); err != nil {
		t.Fatal(err)
	}
	if _, err = a.Sign(t.Context(), request, []string{"chat.landfall.test"}); err != nil {
		t.Error(err)
	}
	// A damaged key of the account is named, and left.
	file := filepath.Join(dir, a.accountFile())
	if err := os.WriteFile(file, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err = NewACME(ACMEConfig{Dir: openRoot(t, dir), Map: &landfall.Map{Domain: "landfall.test"}, Policy: policy, Challenges: w}); err != nil {
		t.Fatal(err)
	}
	if _, err = a.Sign(t.Context(), request, []string{"chat.landfall.test"}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}
