package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

func TestSourceFollowsHomeAndStartsWithoutIt(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, key := wideAuthority(t), newSealing(t)
		m := sealed(withExternal(network("chat.landfall.test", "shop.landfall.test"), "app.other.test"), key, a)
		n := newNotary(a, "one")
		k, _ := runKeeper(t, t.TempDir(), n, m)
		h := newHome(t, k, m)
		h.set(true)
		s, stop := runSource(t, dir, key, h, m)
		time.Sleep(time.Minute)
		if _, err := s.Certificate(t.Context(), "chat.landfall.test"); err == nil || !strings.Contains(err.Error(), "landfall certs list") {
			t.Errorf("a certificate out of nowhere: %v", err)
		}
		if d := h.dialed(); d < 6 || d > 20 {
			t.Errorf("asked %d times in a minute without home", d)
		}
		h.set(false)
		start := time.Now()
		<-s.Ready()
		synctest.Wait()
		if d := time.Since(start); d > 2*retryMax {
			t.Errorf("ready %v after home was back", d)
		}
		first := serial(t, s, "chat.landfall.test")
		if serial(t, s, "shop.landfall.test") != first || serial(t, s, "app.other.test") == first {
			t.Error("the wrong certificates")
		}
		if _, err := s.Certificate(t.Context(), "who.landfall.test"); err == nil {
			t.Error("a certificate for a host without a service")
		}
		got := contents(t, dir)
		if !strings.HasPrefix(got, "bundle.sealed -rw-------") || strings.Contains(got, "PRIVATE") || strings.Contains(got, "CERTIFICATE") {
			t.Errorf("directory:\n%.200q", got)
		}

		// What home has is in use at once.
		if err := k.Renew(t.Context(), []string{"chat.landfall.test"}, Wanted); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		synctest.Wait()
		second := serial(t, s, "chat.landfall.test")
		if second == first || time.Since(start) != 0 {
			t.Error("not in use at once")
		}

		// A start without home lives on what is on disk; the same bundle is not
		// sent again.
		stop()
		h.set(true)
		s, stop = runSource(t, dir, key, h, m)
		<-s.Ready()
		if got := serial(t, s, "chat.landfall.test"); got != second {
			t.Errorf("after the restart: %s, want %s", got, second)
		}
		h.set(false)
		time.Sleep(10 * time.Minute)
		if st := s.Stats(); st.Received != 0 || st.Silent > 60 || st.Days["app.other.test"] < 40 {
			t.Errorf("%+v", st)
		}
		// An edge that nobody visits is renewed too.
		stop()
		time.Sleep(time.Until(infoOf(t, k, "chat.landfall.test").Next) - time.Hour)
		s, _ = runSource(t, dir, key, h, m)
		time.Sleep(2 * time.Hour)
		if got := serial(t, s, "chat.landfall.test"); got == second {
			t.Error("not renewed")
		}
	})
}

func TestSourceNeverShowsWhatHasEnded(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, key := openAuthority(t, t.TempDir()), newSealing(t)
		m := sealed(network("chat.landfall.test"), key, a)
		k, _ := runKeeper(t, t.TempDir(), a, m)
		h := newHome(t, k, m)
		s, stop := runSource(t, dir, key, h, m)
		<-s.Ready()
		synctest.Wait()
		stop()
		h.set(true)
		time.Sleep(LeafLife - 2*time.Hour)
		s, _ = runSource(t, dir, key, h, m)
		time.Sleep(time.Hour)
		serial(t, s, "chat.landfall.test")
		time.Sleep(2 * time.Hour)
		if _, err := s.Certificate(t.Context(), "chat.landfall.test"); err == nil || !strings.Contains(err.Error(), "ended at 2000-02-17") {
			t.Errorf("%v", err)
		}
		if st := s.Stats(); st.Days["chat.landfall.test"] > 0 {
			t.Errorf("%+v", st)
		}
		h.set(false)
		time.Sleep(2 * retryMax)
		serial(t, s, "chat.landfall.test")
	})
}

// What users do not trust is not put in the place of what they do; and once
// the map says that they trust it, it is.
func TestSourceKeepsTheOldUntilTheNewIsVouchedFor(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		old, fresh, key := wideAuthority(t), wideAuthority(t), newSealing(t)
		m := sealed(network("chat.landfall.test"), key, old)
		k, _ := runKeeper(t, t.TempDir(), old, m)
		h := newHome(t, k, m)
		s, stop := runSource(t, dir, key, h, m)
		<-s.Ready()
		first := serial(t, s, "chat.landfall.test")
		disk := contents(t, dir)

		m2 := sealed(network("chat.landfall.test"), key, fresh)
		k2, _ := runKeeper(t, t.TempDir(), fresh, m2)
		h.set(true)
		h2 := newHome(t, k2, m2)
		stop()
		s, stop = runSource(t, dir, key, h2, m) // with the map before
		time.Sleep(time.Minute)
		if serial(t, s, "chat.landfall.test") != first || contents(t, dir) != disk || s.Stats().Refused != 1 {
			t.Errorf("took what nobody vouches for: %+v", s.Stats())
		}
		s.SetMap(m2)
		synctest.Wait()
		if serial(t, s, "chat.landfall.test") == first || contents(t, dir) == disk {
			t.Error("did not take what the map vouches for now")
		}
		stop()
		// With nothing before, what nobody vouches for is not shown at all.
		s, _ = runSource(t, t.TempDir(), key, h2, m)
		time.Sleep(time.Minute)
		if _, err := s.Certificate(t.Context(), "chat.landfall.test"); err == nil {
			t.Error("showed what nobody vouches for")
		}
	})
}

// Home that lost its certificates takes none away from the edges.
func TestSourceGivesUpNothingForNothing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, key := wideAuthority(t), newSealing(t)
		m := sealed(withExternal(network("chat.landfall.test"), "app.other.test"), key, a)
		k, stopKeeper := runKeeper(t, t.TempDir(), a, m)
		h := newHome(t, k, m)
		s, _ := runSource(t, dir, key, h, m)
		<-s.Ready()
		synctest.Wait()
		app, received := serial(t, s, "app.other.test"), s.Stats().Received
		stopKeeper()
		n := newNotary(a, "one")
		n.set("app.other.test", &Refusal{Words: "no"})
		empty, _ := runKeeper(t, t.TempDir(), n, m)
		h2 := newHome(t, empty, m)
		h.mu.Lock()
		h.server = h2.server
		h.mu.Unlock()
		h.set(true)
		h.set(false)
		time.Sleep(2 * time.Minute)
		if got := s.Stats(); got.Received != received+1 || serial(t, s, "app.other.test") != app {
			t.Errorf("%+v", got)
		}
		without := sealed(network("chat.landfall.test"), key, a)
		s.SetMap(without)
		synctest.Wait()
		if _, err := s.Certificate(t.Context(), "app.other.test"); err == nil {
			t.Error("kept what the map does not have")
		}
	})
}

func TestSourceLeavesAFileItCannotReadAlone(t *testing.T) {
	key := newSealing(t)
	other, err := seal(someBundle(t, openAuthority(t, t.TempDir()), "chat.landfall.test"), "test", "sin1", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	junk, err := seal([]byte("{"), "test", "nyc1", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "half a bund", sealedMagic, string(other), string(junk)} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, bundleFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		before, h := contents(t, dir), &home{down: true}
		s, err := NewSource(SourceConfig{Dir: openRoot(t, dir), Network: "test", Self: "nyc1", Key: key, Dial: h.dial})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, bundleFile)) || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%.20q: %v", content, err)
		}
		if contents(t, dir) != before || h.dialed() != 0 {
			t.Errorf("%.20q: it was overwritten", content)
		}
	}
}

func TestReadyWaitsForTheDomainOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, key := openAuthority(t, t.TempDir()), newSealing(t)
		m := sealed(withExternal(network("chat.landfall.test"), "app.other.test"), key, a)
		k, _ := runKeeper(t, t.TempDir(), a, m)
		s, _ := runSource(t, t.TempDir(), key, newHome(t, k, m), m)
		synctest.Wait()
		select {
		case <-s.Ready():
		default:
			t.Error("waits for a host whose zone is another's")
		}
		if got := infoOf(t, k, "app.other.test"); !strings.Contains(got.Err, "agreed = true") {
			t.Errorf("%+v", got)
		}
	})
}

func TestConfigurationsAreChecked(t *testing.T) {
	dir, key := rootOf(t), newSealing(t)
	h := &home{}
	for _, c := range []SourceConfig{
		{Network: "test", Self: "nyc1", Key: key, Dial: h.dial},
		{Dir: dir, Self: "nyc1", Key: key, Dial: h.dial},
		{Dir: dir, Network: "test", Key: key, Dial: h.dial},
		{Dir: dir, Network: "test", Self: "nyc1", Dial: h.dial},
		{Dir: dir, Network: "test", Self: "nyc1", Key: key},
	} {
		if _, err := NewSource(c); err == nil {
			t.Errorf("%+v is enough", c)
		}
	}
	if _, err := NewKeeper(KeeperConfig{Dir: dir}); err == nil {
		t.Error("a keeper without a signer")
	}
	if _, err := NewServer(ServerConfig{}); err == nil {
		t.Error("a server without a keeper")
	}
	if _, err := NewACME(ACMEConfig{Dir: dir, Map: &landfall.Map{Domain: "landfall.test"}, Policy: landfall.ACME{Agreed: true}}); err == nil {
		t.Error("ACME without challenges")
	}
}

// A real handshake between a source's certificate and who trusts the root, in
// real time.
func TestClientThatTrustsTheRootIsServed(t *testing.T) {
	a, key := openAuthority(t, t.TempDir()), newSealing(t)
	m := sealed(network("chat.landfall.test"), key, a)
	k, _ := runKeeper(t, t.TempDir(), a, m)
	s, _ := runSource(t, t.TempDir(), key, newHome(t, k, m), m)
	within(t, "certificate", s.Ready())
	near, far := net.Pipe()
	defer near.Close()
	go tls.Server(far, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return s.Certificate(hello.Context(), hello.ServerName)
	}}).Handshake()
	b, err := os.ReadFile(a.Path())
	if err != nil {
		t.Fatal(err)
	}
	if a.PEM() != string(b) {
		t.Error("the map would have another root than the file")
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b)
	if err := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: "chat.landfall.test"}).Handshake(); err != nil {
		t.Error(err)
	}
}

func TestRootsAreThoseThatUsersTrust(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	own, err := Roots(&landfall.Map{Authority: a.PEM()})
	if err != nil {
		t.Fatal(err)
	}
	public, err := Roots(&landfall.Map{Authority: a.PEM(), ACME: landfall.ACME{Agreed: true}})
	if err != nil {
		t.Fatal(err)
	}
	private, err := Roots(&landfall.Map{ACME: landfall.ACME{Agreed: true, Roots: a.PEM()}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pool *x509.CertPool
		want bool
	}{"own": {own, true}, "public": {public, false}, "private": {private, true}} {
		if _, err := a.Root().Verify(x509.VerifyOptions{Roots: c.pool}); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Roots(&landfall.Map{Authority: "junk"}); err == nil {
		t.Error("junk is trusted")
	}
}
