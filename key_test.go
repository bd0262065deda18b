package landfall

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestKeysRoundTrip(t *testing.T) {
	p := NewPrivateKey()
	q, err := ParsePrivateKey(p.Reveal())
	if err != nil || q != p {
		t.Fatalf("private key came back as another: %v", err)
	}
	k, err := ParsePublicKey(p.Public().String())
	if err != nil || k != p.Public() {
		t.Fatalf("public key came back as %v: %v", k, err)
	}
}

func TestBothSidesShareASecret(t *testing.T) {
	a, b := NewPrivateKey(), NewPrivateKey()
	x, err := a.Shared(b.Public())
	if err != nil {
		t.Fatal(err)
	}
	if y, err := b.Shared(a.Public()); err != nil || x != y {
		t.Fatalf("secrets differ: %v", err)
	}
	if _, err := a.Shared(PublicKey{}); err == nil {
		t.Error("a key of low order was accepted")
	}
}

func TestPrivateKeysDoNotPrint(t *testing.T) {
	p := NewPrivateKey()
	secret := strings.TrimPrefix(p.Reveal(), privatePrefix)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "k", p)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "k", p, "in", struct{ K PrivateKey }{p})
	j, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	raw := p.Bytes()
	out := log.String() + string(j) + fmt.Sprintf("%v %+v %#v %x %s %d", p, p, p, p, p, p)
	for _, leak := range []string{secret, fmt.Sprintf("%x", raw[:]), fmt.Sprint(raw[:])[1:20]} {
		if strings.Contains(out, leak) {
			t.Fatalf("the secret shows in %q", out)
		}
	}
}

func TestParseErrorsDoNotRepeatTheInput(t *testing.T) {
	secret := NewPrivateKey().Reveal()
	if _, err := ParsePublicKey(secret); err == nil || strings.Contains(err.Error(), secret[10:20]) {
		t.Errorf("a private key in the place of a public one: %v", err)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(NewPrivateKey().Public().String())
	f.Add("wg-pub:")
	f.Add("map-pub:AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParsePublicKey(s); err == nil && k.String() != strings.TrimSpace(s) {
			t.Errorf("%q reads as %v", s, k)
		}
		if k, err := ParseMapKey(s); err == nil && k.String() != strings.TrimSpace(s) {
			t.Errorf("%q reads as %v", s, k)
		}
	})
}
