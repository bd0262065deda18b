package mapsync

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"landfall"
)

// keyFile holds the signing key in its text form: keyPrefix and the base64 of
// the Ed25519 seed (RFC 8032, 5.1.5).
const (
	keyFile   = "map.key"
	keyPrefix = "map-key:"
)

// SigningKey signs the maps of a network. Whatever prints it prints
// "(private)".
type SigningKey struct{ k ed25519.PrivateKey }

// NewSigningKey makes a fresh key.
func NewSigningKey() SigningKey {
	_, k, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // the system's randomness never fails (crypto/rand)
	}
	return SigningKey{k}
}

// OpenSigningKey reads the key from the file map.key in dir, and makes key
// and file if there is no such file. A file that is not a key, or that others
// may read, is an error and stays as it is.
func OpenSigningKey(dir *os.Root) (SigningKey, error) {
	k, err := readSigningKey(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	k = NewSigningKey()
	text := keyPrefix + base64.StdEncoding.EncodeToString(k.k.Seed()) + "\n"
	// A link, not a rename: another process that was faster keeps its key.
	if err := place(rootDisk{dir}, keyFile, []byte(text), disk.link); err != nil {
		return SigningKey{}, fmt.Errorf("make signing key in %s: %w", dir.Name(), err)
	}
	return readSigningKey(dir)
}

func readSigningKey(dir *os.Root) (SigningKey, error) {
	f, err := dir.Open(keyFile)
	if err != nil {
		return SigningKey{}, fmt.Errorf("signing key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return SigningKey{}, fmt.Errorf("signing key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return SigningKey{}, fmt.Errorf("signing key %s may be read by others (mode %o): chmod 600 it", f.Name(), info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return SigningKey{}, fmt.Errorf("signing key: %w", err)
	}
	k, err := parseSigningKey(string(b))
	if err != nil {
		return SigningKey{}, fmt.Errorf("signing key %s: %w: put back a good copy; without it every node must join anew", f.Name(), err)
	}
	return k, nil
}

// parseSigningKey never repeats what it was given.
func parseSigningKey(s string) (SigningKey, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(s), keyPrefix)
	if !ok {
		return SigningKey{}, fmt.Errorf("does not begin with %q", keyPrefix)
	}
	seed, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") || len(seed) != ed25519.SeedSize {
		return SigningKey{}, fmt.Errorf("is not %d bytes in base64 after %q", ed25519.SeedSize, keyPrefix)
	}
	return SigningKey{ed25519.NewKeyFromSeed(seed)}, nil
}

// Public is the half that every node knows.
func (k SigningKey) Public() landfall.MapKey {
	return landfall.MapKey(k.k.Public().(ed25519.PublicKey))
}

// IsZero reports whether there is no key.
func (k SigningKey) IsZero() bool { return len(k.k) == 0 }

// String keeps the secret out of logs and errors.
func (SigningKey) String() string { return "(private)" }

// Format keeps the secret out of every verb.
func (SigningKey) Format(f fmt.State, _ rune) { io.WriteString(f, "(private)") }

// MarshalJSON keeps the secret out of documents and of structured logs.
func (SigningKey) MarshalJSON() ([]byte, error) { return []byte(`"(private)"`), nil }
