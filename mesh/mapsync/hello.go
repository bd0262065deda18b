package mapsync

import (
	"crypto/ed25519"

	"landfall"
)

// helloPrefix goes before a hello into the signature; see signedPrefix.
const helloPrefix = "landfall join hello v1\x00"

// SignHello signs what the control says to a server that wants to join, for
// the one channel with this binding: a TLS exporter's value (RFC 8446, 7.5).
func (k SigningKey) SignHello(binding [32]byte, hello []byte) []byte {
	return ed25519.Sign(k.k, helloMessage(binding, hello))
}

// VerifyHello reports whether the owner of the map key said this on the
// channel with this binding.
func VerifyHello(key landfall.MapKey, binding [32]byte, hello, signature []byte) bool {
	return ed25519.Verify(key[:], helloMessage(binding, hello), signature)
}

func helloMessage(binding [32]byte, hello []byte) []byte {
	b := append([]byte(helloPrefix), binding[:]...)
	return append(b, hello...)
}
