package node

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall/geodns/cookie"
)

func TestCookieFilesWithFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "there is no secret in it",
		"# nothing\n":                          "there is no secret in it",
		"0011\n":                               "secrets:1: a secret is 32 hexadecimal digits",
		"\nzz112233445566778899aabbccddeeff\n": "secrets:2: ",
	} {
		if _, err := parseCookies("secrets", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	name := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(name, []byte("00112233445566778899aabbccddeeff\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := CookieFile(name); err == nil || !strings.Contains(err.Error(), "may be read by anybody") {
		t.Error(err)
	}
}

// A secret is replaced without a stop, and a damaged file changes nothing.
func TestCookieSecretsAreReplaced(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secrets")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const old, young = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	write(old)
	c, err := CookieFile(name)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var heard []cookie.Secrets
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.run(ctx, slog.New(slog.DiscardHandler), func(s cookie.Secrets) { heard = append(heard, s) })
		}()
		for _, text := range []string{old, "nonsense", old + "\n" + young, young + "\n" + old + "\n", young} {
			write(text)
			time.Sleep(2 * bakeEvery)
		}
		stop()
		<-done
		a, b := cookie.Secret{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, cookie.Secret{}
		for i := range b {
			b[i] = a[len(a)-1-i]
		}
		if want := []cookie.Secrets{{a, b}, {b, a}, {b}}; !slices.EqualFunc(heard, want, slices.Equal[cookie.Secrets]) {
			t.Errorf("heard %x, want %x", heard, want)
		}
	})
}

func TestDerivedSecretsAreOthersEachDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := CookieRoot([]byte("root"))
		ctx, stop := context.WithCancel(t.Context())
		n, done := 0, make(chan struct{})
		go func() {
			defer close(done)
			c.run(ctx, slog.New(slog.DiscardHandler), func(cookie.Secrets) { n++ })
		}()
		time.Sleep(72 * time.Hour)
		stop()
		<-done
		if n != 3 {
			t.Errorf("%d times in three days", n)
		}
	})
}
