package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of a password hash (RFC 9106): some 20 ms and 19 MiB. Hashes carry
// theirs, so these may grow.
const (
	hashTime    = 2
	hashMemory  = 19 << 10 // KiB
	hashThreads = 1
	saltLen     = 16
	keyLen      = 32

	maxHashTime    = 64
	maxHashMemory  = 1 << 20
	maxHashThreads = 16
)

// NewToken makes a token: 128 random bits as 32 hexadecimal digits, the form
// that clients of this API know.
func NewToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// NewPassword makes a password that nobody guesses and somebody can type.
func NewPassword() string {
	text := strings.ToLower(rand.Text()[:20]) // 100 bits
	return text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:]
}

// HashToken is what a store keeps of a token. Tokens are random, so one fast
// hash is enough.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// HashPassword is what a store keeps of a password: argon2id in the PHC
// string format.
func HashPassword(password string) string {
	var salt [saltLen]byte
	_, _ = rand.Read(salt[:]) // never fails
	key := argon2.IDKey([]byte(password), salt[:], hashTime, hashMemory, hashThreads, keyLen)
	return phc(salt[:], key)
}

// dummyHash matches no password that is known, but takes as long to compare
// with as one that might.
func dummyHash() string { return phc(make([]byte, saltLen), make([]byte, keyLen)) }

func phc(salt, key []byte) string {
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads, enc(salt), enc(key))
}

// CheckPassword says whether a password is the one that was hashed.
func CheckPassword(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false
	}
	var memory, time uint32
	var threads uint8
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); n != 3 || err != nil {
		return false
	}
	if time < 1 || time > maxHashTime || memory > maxHashMemory || threads < 1 || threads > maxHashThreads {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	key, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(key) < 16 {
		return false
	}
	return subtle.ConstantTimeCompare(key, argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(key)))) == 1
}
