package landfall

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// Prefixes of the text forms, so that no key can be taken for another kind.
const (
	publicPrefix  = "wg-pub:"
	privatePrefix = "wg-key:"
	mapKeyPrefix  = "map-pub:"
)

// PublicKey is a node's Curve25519 key as WireGuard knows it. Its text form
// is "wg-pub:" and the base64 that `wg show` prints.
type PublicKey [32]byte

// ParsePublicKey reads the text form.
func ParsePublicKey(s string) (PublicKey, error) {
	b, err := parseKey(s, publicPrefix, 32)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	return PublicKey(b), nil
}

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// String is the text form.
func (k PublicKey) String() string { return formatKey(publicPrefix, k[:]) }

// AppendText implements encoding.TextAppender.
func (k PublicKey) AppendText(b []byte) ([]byte, error) { return append(b, k.String()...), nil }

// MarshalText implements encoding.TextMarshaler.
func (k PublicKey) MarshalText() ([]byte, error) { return k.AppendText(nil) }

// UnmarshalText reads the text form.
func (k *PublicKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParsePublicKey(string(b))
	return err
}

// PrivateKey is the secret half of a PublicKey. Whatever prints it prints
// "(private)"; only Reveal gives its text form away, for the key file.
type PrivateKey struct{ k [32]byte }

// NewPrivateKey makes a fresh key.
func NewPrivateKey() PrivateKey {
	var p PrivateKey
	rand.Read(p.k[:]) // never fails (crypto/rand)
	// RFC 7748, 5: the decoding of scalars, done once here as WireGuard does.
	p.k[0] &= 248
	p.k[31] = p.k[31]&127 | 64
	return p
}

// ParsePrivateKey reads what Reveal wrote.
func ParsePrivateKey(s string) (PrivateKey, error) {
	b, err := parseKey(s, privatePrefix, 32)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("private key: %w", err)
	}
	return PrivateKey{[32]byte(b)}, nil
}

// Public is the half that others may know.
func (p PrivateKey) Public() PublicKey {
	k, err := ecdh.X25519().NewPrivateKey(p.k[:])
	if err != nil {
		panic(err) // 32 bytes are always a key
	}
	return PublicKey(k.PublicKey().Bytes())
}

// Shared is the X25519 secret (RFC 7748, 6.1) that both owners of the two
// keys can compute. It fails on a public key of low order.
func (p PrivateKey) Shared(peer PublicKey) ([32]byte, error) {
	k, err := ecdh.X25519().NewPrivateKey(p.k[:])
	if err != nil {
		panic(err) // 32 bytes are always a key
	}
	pub, err := ecdh.X25519().NewPublicKey(peer[:])
	if err != nil {
		return [32]byte{}, fmt.Errorf("peer key %v: %w", peer, err)
	}
	s, err := k.ECDH(pub)
	if err != nil {
		return [32]byte{}, fmt.Errorf("peer key %v: %w", peer, err)
	}
	return [32]byte(s), nil
}

// Reveal is the secret in its text form, for the key file.
func (p PrivateKey) Reveal() string { return formatKey(privatePrefix, p.k[:]) }

// Bytes are the secret's 32 bytes, for the WireGuard device.
func (p PrivateKey) Bytes() [32]byte { return p.k }

// IsZero reports whether there is no key.
func (p PrivateKey) IsZero() bool { return p.k == [32]byte{} }

// String keeps the secret out of logs and errors.
func (PrivateKey) String() string { return "(private)" }

// GoString keeps the secret out of %#v.
func (PrivateKey) GoString() string { return "(private)" }

// Format keeps the secret out of every other verb.
func (PrivateKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(private)") }

// MarshalJSON keeps the secret out of documents and of structured logs.
func (PrivateKey) MarshalJSON() ([]byte, error) { return []byte(`"(private)"`), nil }

// MapKey is the public half of the Ed25519 key that signs a network's maps.
// Its text form is "map-pub:" and base64.
type MapKey [ed25519.PublicKeySize]byte

// ParseMapKey reads the text form.
func ParseMapKey(s string) (MapKey, error) {
	b, err := parseKey(s, mapKeyPrefix, ed25519.PublicKeySize)
	if err != nil {
		return MapKey{}, fmt.Errorf("map key: %w", err)
	}
	return MapKey(b), nil
}

// String is the text form.
func (k MapKey) String() string { return formatKey(mapKeyPrefix, k[:]) }

// MarshalText implements encoding.TextMarshaler.
func (k MapKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the text form.
func (k *MapKey) UnmarshalText(b []byte) (err error) {
	*k, err = ParseMapKey(string(b))
	return err
}

// SealingKey is what others encrypt a node's secrets to: an X25519 key and an
// ML-KEM-768 encapsulation key (FIPS 203), so that both must fall.
type SealingKey struct {
	X25519 [32]byte `json:"x25519"`
	MLKEM  []byte   `json:"mlkem"`
}

// IsZero reports whether there is no key.
func (k SealingKey) IsZero() bool { return k.X25519 == [32]byte{} && len(k.MLKEM) == 0 }

func formatKey(prefix string, b []byte) string {
	return prefix + base64.StdEncoding.EncodeToString(b)
}

// parseKey never repeats what it was given: it may be a secret in the wrong place.
func parseKey(s, prefix string, size int) ([]byte, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(s), prefix)
	if !ok {
		return nil, fmt.Errorf("want %q and base64", prefix)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder passes over
		return nil, fmt.Errorf("after %q: not base64", prefix)
	}
	if len(b) != size {
		return nil, fmt.Errorf("after %q: %d bytes, want %d", prefix, len(b), size)
	}
	return b, nil
}
