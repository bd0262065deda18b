package certs

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"testing"
)

func TestSecretsOpenForTheirPurposeAndNodeAlone(t *testing.T) {
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kem, err := mlkem.GenerateKey768()
	if err != nil {
		t.Fatal(err)
	}
	private, err := NewSealingPrivate(x, kem)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := Seal("dnssec", []byte("key"), "net", "fra1", private.Public())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := private.Open("dnssec", sealed, "net", "fra1"); err != nil || string(b) != "key" {
		t.Errorf("%q, %v", b, err)
	}
	for _, c := range [][3]string{{"other", "net", "fra1"}, {"dnssec", "other", "fra1"}, {"dnssec", "net", "nyc1"}} {
		if _, err := private.Open(c[0], sealed, c[1], "nyc1"); err == nil {
			t.Errorf("%v opens it", c)
		}
	}
	sealed[len(sealed)-1]++
	if _, err := private.Open("dnssec", sealed, "net", "fra1"); err == nil {
		t.Error("a damaged secret opens")
	}
}
