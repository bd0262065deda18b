package join

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
)

// secret is what a token proves. Only the new server and the token's line
// ever hold it.
type secret [32]byte

func newSecret() (s secret) {
	rand.Read(s[:]) // never fails (crypto/rand)
	return s
}

// String keeps the secret out of logs and errors.
func (secret) String() string { return "(private)" }

// Format keeps the secret out of every verb.
func (secret) Format(f fmt.State, _ rune) { io.WriteString(f, "(private)") }

// key is what home keeps of the secret, and what proofs are made with.
func (s secret) key() proofKey {
	return sha256.Sum256(append([]byte("landfall join secret v1\x00"), s[:]...))
}

// proofKey is the hash of a secret.
type proofKey [32]byte

// String keeps the key out of logs and errors.
func (proofKey) String() string { return "(private)" }

// Format keeps the key out of every verb.
func (proofKey) Format(f fmt.State, _ rune) { io.WriteString(f, "(private)") }

// requestPrefix goes before a request into its proof, so that no proof can be
// taken for one of another kind.
const requestPrefix = "landfall join request v1\x00"

// prove is HMAC-SHA256 (RFC 2104) over the channel, the control's nonce and
// the request's body, to the last byte.
func (k proofKey) prove(binding [32]byte, nonce, body []byte) []byte {
	h := hmac.New(sha256.New, k[:])
	h.Write([]byte(requestPrefix))
	h.Write(binding[:])
	h.Write(nonce[:])
	h.Write(body)
	return h.Sum(nil)
}
