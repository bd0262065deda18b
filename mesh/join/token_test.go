package join

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
)

func aToken() Token {
	return Token{
		Network:   "shop",
		Node:      "nyc1",
		Key:       landfall.MapKey{1, 2, 3},
		Expires:   time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Endpoints: []string{"192.0.2.1:443", "[2001:db8::1]:443", "home.example.com:8443"},
		secret:    secret{7: 1, 31: 255},
	}
}

func TestTokenSurvivesItsText(t *testing.T) {
	want := aToken()
	got, err := ParseToken("\n  " + want.Reveal() + "\r\n")
	if err != nil || got.Reveal() != want.Reveal() || got.secret != want.secret || !got.Expires.Equal(want.Expires) || !slices.Equal(got.Endpoints, want.Endpoints) {
		t.Errorf("%+v, %v", got, err)
	}
	if n := len(want.Reveal()); n > 256 {
		t.Errorf("a token of %d characters is hard to copy", n)
	}
}

func TestTokenCarriesAddresses(t *testing.T) {
	want := aToken()
	plain := want.Reveal()
	want.Addresses = addrs("198.51.100.7", "2001:db8::7", "10.0.0.5", "127.0.0.1")
	got, err := ParseToken(want.Reveal())
	if err != nil || !slices.Equal(got.Addresses, want.Addresses) || got.Reveal() != want.Reveal() {
		t.Errorf("%v, %v", got.Addresses, err)
	}
	if got, err := ParseToken(plain); err != nil || got.Addresses != nil || len(want.Reveal()) <= len(plain) {
		t.Errorf("without: %v, %v", got.Addresses, err)
	}
}

func TestTokenPrintsNoSecret(t *testing.T) {
	token := aToken()
	j, err := json.Marshal(map[string]any{"t": token, "k": token.secret.String()})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimPrefix(token.Reveal(), tokenPrefix)
	for _, s := range []string{
		fmt.Sprint(token), fmt.Sprintf("%+v %#v %x %q %d %s", token, token, token, token, token, token), string(j),
		fmt.Sprintf("%v %x %d", token.secret, token.secret, token.secret),
		fmt.Sprintf("%v %x %d", token.secret.key(), token.secret.key(), token.secret.key()),
	} {
		if !strings.Contains(s, "(private)") || strings.Contains(s, text[20:40]) || strings.Contains(s, "255") || strings.Contains(s, "ff") {
			t.Errorf("printed %s", s)
		}
	}
}

// A token loses its end, at every length, or a character is another.
func TestTokenKnowsHowItWasDamaged(t *testing.T) {
	text := aToken().Reveal()
	for n := 1; n < len(text); n++ {
		if _, err := ParseToken(text[:n]); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("first %d of %d characters: %v", n, len(text), err)
		}
	}
	for i := len(tokenPrefix); i < len(text); i++ {
		other := byte('A')
		if text[i] == other {
			other = 'B'
		}
		if _, err := ParseToken(text[:i] + string(other) + text[i+1:]); err == nil {
			t.Errorf("character %d changed: no error", i)
		}
	}
	for name, bad := range map[string]string{
		"":                           "want \"landfall-join1:\"",
		"hello":                      "want \"landfall-join1:\"",
		"landfall-join2:AAAA":        "want \"landfall-join1:\"",
		text + "AAAA":                "changed",
		text[:60] + "\n" + text[60:]: "as one line",
		tokenPrefix + strings.Repeat("A", maxToken+1): "changed",
		tokenPrefix + "****":                          "changed",
	} {
		_, err := ParseToken(name)
		if f, ok := err.(*Failure); !ok || f.Kind != BadToken || !strings.Contains(err.Error(), bad) {
			t.Errorf("%.40q: %v, want %q", name, err, bad)
		}
		if err != nil && strings.Contains(err.Error(), text[30:50]) {
			t.Errorf("the error repeats the token: %v", err)
		}
	}
}

func TestTokensOfWrongPrograms(t *testing.T) {
	for name, spoil := range map[string]func(*Token){
		"no network":          func(t *Token) { t.Network = "" },
		"odd network":         func(t *Token) { t.Network = "Shop/1" },
		"odd node":            func(t *Token) { t.Node = "../x" },
		"no key":              func(t *Token) { t.Key = landfall.MapKey{} },
		"no secret":           func(t *Token) { t.secret = secret{} },
		"no date":             func(t *Token) { t.Expires = time.Unix(1<<41, 0) },
		"nowhere":             func(t *Token) { t.Endpoints = nil },
		"everywhere":          func(t *Token) { t.Endpoints = slices.Repeat([]string{"192.0.2.1:443"}, 9) },
		"addresses of none":   func(t *Token) { t.Addresses = addrs("169.254.169.254") },
		"too many addresses":  func(t *Token) { t.Addresses = slices.Repeat(addrs("198.51.100.7"), 9) },
		"an address twice":    func(t *Token) { t.Addresses = addrs("198.51.100.7", "198.51.100.7") },
		"address in disguise": func(t *Token) { t.Addresses = addrs("::ffff:198.51.100.7") },
		"half an address":     func(t *Token) { t.Addresses = []netip.Addr{{}} },
		"endpoint of no port": func(t *Token) { t.Endpoints[1] = "192.0.2.1" },
		"endpoint of port 0":  func(t *Token) { t.Endpoints[1] = "192.0.2.1:0" },
		"endpoint of no host": func(t *Token) { t.Endpoints[1] = ":443" },
		"endpoint of no name": func(t *Token) { t.Endpoints[1] = "home..example:443" },
	} {
		token := aToken()
		spoil(&token)
		if got, err := ParseToken(token.Reveal()); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzToken(f *testing.F) {
	text, pinned := aToken().Reveal(), aToken()
	pinned.Addresses = addrs("198.51.100.7", "2001:db8::7")
	f.Add(text)
	f.Add(pinned.Reveal())
	f.Add(text[:40])
	f.Add(tokenPrefix)
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseToken(s)
		if err == nil && token.Reveal() != strings.TrimSpace(s) {
			t.Errorf("%q reads as %q", s, token.Reveal())
		}
	})
}

// Fuzzing hardly finds checksums: here it is given them.
func FuzzTokenFields(f *testing.F) {
	for _, pins := range [][]netip.Addr{nil, addrs("198.51.100.7", "2001:db8::7")} {
		token := aToken()
		token.Addresses = pins
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token.Reveal(), tokenPrefix))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[2 : len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := readToken(b)
		if err != nil {
			return
		}
		again, err := ParseToken(token.Reveal())
		if err != nil || again.Reveal() != token.Reveal() {
			t.Errorf("%x: %v", b, err)
		}
	})
}
