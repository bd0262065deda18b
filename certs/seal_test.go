package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"landfall"
)

func TestSealedForOneNodeOfOneNetwork(t *testing.T) {
	key := newSealing(t)
	plain := []byte("the keys of the kingdom")
	b, err := seal(plain, "test", "nyc1", key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, plain) {
		t.Fatal("it is readable")
	}
	if got, err := key.open(b, "test", "nyc1"); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	damaged := bytes.Clone(b)
	damaged[len(b)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another node":    func() ([]byte, error) { return key.open(b, "test", "sin1") },
		"another network": func() ([]byte, error) { return key.open(b, "tes", "tnyc1") },
		"another key":     func() ([]byte, error) { return newSealing(t).open(b, "test", "nyc1") },
		"damaged":         func() ([]byte, error) { return key.open(damaged, "test", "nyc1") },
		"cut":             func() ([]byte, error) { return key.open(b[:len(b)/2], "test", "nyc1") },
		"nothing":         func() ([]byte, error) { return key.open(nil, "test", "nyc1") },
		"only the mark":   func() ([]byte, error) { return key.open([]byte(sealedMagic), "test", "nyc1") },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	if c, err := seal(plain, "test", "nyc1", key.Public()); err != nil || bytes.Equal(b, c) {
		t.Error("sealed twice to the same bytes")
	}
}

func TestNobodyIsSealedToWithoutKeys(t *testing.T) {
	for _, k := range []landfall.SealingKey{
		{},
		{MLKEM: []byte("short")},
		{MLKEM: newSealing(t).Public().MLKEM}, // X25519 of low order
	} {
		if _, err := seal([]byte("x"), "test", "nyc1", k); err == nil || !strings.Contains(err.Error(), "nyc1") {
			t.Errorf("%v", err)
		}
	}
}

func TestSealingKeysDoNotPrint(t *testing.T) {
	k := newSealing(t)
	text := fmt.Sprintf("%v %+v %#v %s %x %v", k, k, k, k, k, struct{ K *SealingPrivate }{k})
	if strings.Count(text, "(private)") != 6 || strings.Contains(text, "0x") {
		t.Errorf("printed %s", text)
	}
}

// someBundle is a bundle with a certificate for each list of hosts.
func someBundle(t testing.TB, a *Authority, hosts ...string) []byte {
	t.Helper()
	var members []member
	for _, h := range hosts {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			t.Fatal(err)
		}
		request, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := a.Sign(t.Context(), request, strings.Split(h, " "))
		if err != nil {
			t.Fatal(err)
		}
		text, err := formatKey(key)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{string(chain), string(text)})
	}
	b, err := encodeBundle(members)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBundlesRoundTripAndErrorsKeepKeysSecret(t *testing.T) {
	b := someBundle(t, openAuthority(t, t.TempDir()), "a.landfall.test b.landfall.test", "c.landfall.test")
	certs, err := parseBundle(b)
	if err != nil || len(certs) != 2 || !covers(certs[0], []string{"a.landfall.test", "b.landfall.test"}) {
		t.Fatalf("%v, %v", certs, err)
	}
	if versionOf(b) == versionOf(b[1:]) || len(versionOf(b)) != 32 {
		t.Error("versions do not tell bundles apart")
	}
	for _, spoil := range []func(string) string{
		func(s string) string { return s[:len(s)-20] },
		func(s string) string { return strings.Replace(s, "BEGIN PRIVATE", "BEGIN PRIVY", 1) },
		func(s string) string { return strings.Replace(s, `"key"`, `"lock"`, 1) },
		func(s string) string { return strings.Replace(s, `MIG`, `XYZ`, 1) },
		func(s string) string { return s + s },
	} {
		_, err := parseBundle([]byte(spoil(string(b))))
		if err == nil || strings.Contains(err.Error(), "MHcC") || strings.Contains(err.Error(), "MIG") || len(err.Error()) > 100 {
			t.Errorf("%v", err)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	key := newSealing(f)
	b, err := seal([]byte("secret"), "test", "nyc1", key.Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[len(sealedMagic):])
	f.Add([]byte(sealedMagic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append([]byte(sealedMagic), in...)
		if got, err := key.open(in, "test", "nyc1"); err == nil && (!bytes.Equal(got, []byte("secret")) || !bytes.Equal(in, b)) {
			t.Errorf("opened %q", got)
		}
	})
}

func fuzzAuthority(f *testing.F) *Authority {
	dir := rootOf(f)
	a, err := OpenAuthority(dir, "test", "landfall.test")
	if err != nil {
		f.Fatal(err)
	}
	return a
}

func FuzzParseBundle(f *testing.F) {
	f.Add(someBundle(f, fuzzAuthority(f), "a.landfall.test", "b.landfall.test"))
	f.Add([]byte(`{"certificates":[{"chain":"","key":""}]}`))
	f.Add([]byte(`{"certificates":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, err := parseBundle(b)
		if err != nil {
			return
		}
		for _, c := range certs {
			if !samePublic(c.Leaf.PublicKey, c.PrivateKey.(*ecdsa.PrivateKey).Public()) {
				t.Error("a pair that does not fit")
			}
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	b := someBundle(f, fuzzAuthority(f), "a.landfall.test")
	var in struct{ Certificates []member }
	if err := json.Unmarshal(b, &in); err != nil {
		f.Fatal(err)
	}
	r := record{Hosts: []string{"a.landfall.test"}, Signer: "one", Chain: in.Certificates[0].Chain, Key: in.Certificates[0].Key, Renew: KeyCompromise,
		Revoke: []taken{{"one", in.Certificates[0].Chain}}}
	text, err := r.format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"hosts":["a"],"tried":"x","failures":99999999,"next":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, c, err := parseRecord(b)
		if err != nil {
			return
		}
		if (c != nil) != (r.Chain != "") || patience(r.Failures) < 0 || patience(r.Failures) > retryLast {
			t.Error("a record that makes no sense")
		}
		for _, old := range r.Revoke {
			old.leaf()
		}
		again, err := r.format()
		if err != nil {
			return // times beyond the year 9999
		}
		if _, _, err := parseRecord(again); err != nil {
			t.Errorf("written and not read: %v", err)
		}
	})
}
