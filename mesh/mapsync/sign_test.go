package mapsync

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
)

func TestSignedMapComesBackWhole(t *testing.T) {
	key := NewSigningKey()
	m := testMap(7, 3)
	m.Issued = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m.Nodes[1].State = landfall.Draining
	m.Nodes[1].Sealing = landfall.SealingKey{X25519: [32]byte{1, 2}, MLKEM: []byte{3, 4}}
	m.Steering = landfall.Steering{TTL: time.Minute, Answers: 3}
	d := signed(t, m, key)
	got, err := Verify(d.Bytes, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) || d.Serial != 7 {
		t.Errorf("signed   %+v\nverified %+v", m, got)
	}
}

func TestNothingMayBeChanged(t *testing.T) {
	key := NewSigningKey()
	d := signed(t, testMap(1, 0), key)
	for i := range d.Bytes {
		b := bytes.Clone(d.Bytes)
		b[i] ^= 1 << (i % 8)
		if _, err := Verify(b, key.Public()); err == nil {
			t.Fatalf("byte %d changed to %q was taken", i, b[i])
		}
		if _, err := Verify(d.Bytes[:i], key.Public()); err == nil {
			t.Fatalf("cut off after %d of %d bytes was taken", i, len(d.Bytes))
		}
		b = slices.Insert(bytes.Clone(d.Bytes), i, '\r')
		if _, err := Verify(b, key.Public()); err == nil {
			t.Fatalf("a line end put in at %d was taken", i)
		}
	}
	for _, tail := range []string{"\n", " ", "{}", string(d.Bytes)} {
		if _, err := Verify(append(bytes.Clone(d.Bytes), tail...), key.Public()); err == nil {
			t.Errorf("trailing %.10q was taken", tail)
		}
	}
}

// seal signs any body, as a careless control node would.
func seal(key SigningKey, body string) []byte {
	sig := ed25519.Sign(key.k, message([]byte(body)))
	return []byte(heading + base64.StdEncoding.EncodeToString(sig) + "\n" + body)
}

func TestVerifyTellsWhy(t *testing.T) {
	key := NewSigningKey()
	good := signed(t, testMap(5, 1), key).Bytes
	body := string(good[len(heading)+sigSize+1:])
	bare := []byte(heading + base64.StdEncoding.EncodeToString(ed25519.Sign(key.k, []byte(body))) + "\n" + body)
	for _, c := range []struct {
		name, why string
		b         []byte
	}{
		{"nothing", "malformed", nil},
		{"a web page", "malformed", []byte("<html>")},
		{"too large", "malformed", make([]byte, MaxSize+1)},
		{"another key", "signature", signed(t, testMap(5, 1), NewSigningKey()).Bytes},
		{"signed without its domain", "signature", bare},
		{"not JSON", "malformed", seal(key, "map")},
		{"two documents", "malformed", seal(key, body+body)},
		{"no serial", "malformed", seal(key, strings.Replace(body, `"serial":5`, `"serial":0`, 1))},
		{"no region", "faulty", seal(key, `{"network":"landfall","domain":"landfall.test","serial":5}`)},
	} {
		_, err := Verify(c.b, key.Public())
		r, ok := errors.AsType[*refusal](err)
		if !ok || r.why != c.why || !slices.Contains(reasons[:], r.why) {
			t.Errorf("%s: %v, want a refusal as %s", c.name, err, c.why)
		}
	}
}

func TestNewerFieldsPassButAreNotSignedAway(t *testing.T) {
	key := NewSigningKey()
	body, err := json.Marshal(testMap(5, 1))
	if err != nil {
		t.Fatal(err)
	}
	b := seal(key, strings.Replace(string(body), `"serial":5`, `"serial":5,"invented_later":true`, 1))
	m, err := Verify(b, key.Public())
	if err != nil || m.Serial != 5 {
		t.Fatalf("verify: %v", err)
	}
	if err := known(b); err == nil || !strings.Contains(err.Error(), "invented_later") {
		t.Errorf("a changed copy would lose the field: %v", err)
	}
	store := newMemory()
	store.doc = Signed{5, b}
	if _, err := newControl(t, store, key).Change(t.Context(), retitle("x")); err == nil || !strings.Contains(err.Error(), "upgrade") {
		t.Errorf("change: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	key := NewSigningKey()
	if _, err := Sign(testMap(0, 1), key); err == nil {
		t.Error("a bootstrap map was signed")
	}
	if _, err := Sign(testMap(1, 1), SigningKey{}); err == nil {
		t.Error("no key was enough")
	}
	m := testMap(1, 1)
	m.Regions[1].Home, m.Nodes[1].Region = true, "atlantis"
	_, err := Sign(m, key)
	if f, ok := errors.AsType[*Faulty](err); !ok || len(f.Faults) < 2 || !strings.Contains(err.Error(), "atlantis") {
		t.Errorf("sign: %v, want both faults", err)
	}
}

func TestTagsTellDocumentsApart(t *testing.T) {
	key := NewSigningKey()
	a, b := testMap(1, 1), testMap(1, 2)
	one, two := signed(t, a, key), signed(t, b, key)
	if one.tag() == two.tag() || one.tag() != signed(t, a, key).tag() || one.tag() == "" {
		t.Errorf("tags %s and %s", one.tag(), two.tag())
	}
}

// Whatever Verify takes is what was signed, to the byte.
func FuzzVerify(f *testing.F) {
	key := sameKey()
	good := signed(f, testMap(3, 1), key).Bytes
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), '\n'))
	f.Add([]byte(heading))
	f.Add([]byte("landfall map v2 x\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Verify(b, key.Public()); err == nil && !bytes.Equal(b, good) {
			t.Errorf("took serial %d from bytes that nobody signed", m.Serial)
		}
	})
}

// A body that the key did sign may say anything.
func FuzzVerifySignedBody(f *testing.F) {
	key := NewSigningKey()
	good := signed(f, testMap(3, 1), key).Bytes
	f.Add(string(good[len(heading)+sigSize+1:]))
	f.Add(`{"serial":1,"nodes":[{"key":"wg-pub:x"}],"issued":"yesterday"}`)
	f.Add(`{"serial":18446744073709551616}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, body string) {
		m, err := Verify(seal(key, body), key.Public())
		if err != nil {
			return
		}
		if m.Serial == 0 || len(m.Check()) > 0 {
			t.Errorf("took %+v", m)
		}
		if _, err := Sign(m, key); err != nil {
			t.Errorf("verified, but: %v", err)
		}
	})
}
