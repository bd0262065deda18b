package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"landfall"
	"landfall/geodns/cookie"
)

// Cookies is where the secrets of a name server's cookies come from.
type Cookies struct {
	root []byte // to derive them from
	file string // or where they stand; "" is nowhere
	now  cookie.Secrets
}

// CookieFile takes secrets from a file: lines of 32 hexadecimal digits, of
// which the first makes cookies and all make them good. Empty lines and what
// begins with # say nothing. The file is read again as it changes.
func CookieFile(name string) (*Cookies, error) {
	c := &Cookies{file: name}
	var err error
	c.now, err = c.secrets(time.Now())
	return c, err
}

// CookieRoot derives secrets, other ones each day, from a root that is kept.
func CookieRoot(root []byte) *Cookies {
	return &Cookies{root: root, now: cookie.Derive(root, time.Now())}
}

// NewCookieRoot is a root that nobody else has.
func NewCookieRoot() []byte {
	root := make([]byte, sha256.Size)
	rand.Read(root) // never fails
	return root
}

// NodeCookies derives them from the key of a node, so that they outlive each
// of its processes.
func NodeCookies(key landfall.PrivateKey) *Cookies {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte("landfall cookie root"))
	return CookieRoot(mac.Sum(nil))
}

// secrets are those of a moment.
func (c *Cookies) secrets(now time.Time) (cookie.Secrets, error) {
	if c.file == "" {
		return cookie.Derive(c.root, now), nil
	}
	info, err := os.Stat(c.file)
	if err != nil {
		return nil, fmt.Errorf("secrets of cookies: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("secrets of cookies: %s may be read by anybody (mode %o): chmod 640 it, and write others into it", c.file, info.Mode().Perm())
	}
	b, err := os.ReadFile(c.file)
	if err != nil {
		return nil, fmt.Errorf("secrets of cookies: %w", err)
	}
	return parseCookies(c.file, b)
}

func parseCookies(name string, b []byte) (out cookie.Secrets, err error) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		var s cookie.Secret
		if len(text) != hex.EncodedLen(len(s)) {
			return nil, fmt.Errorf("%s:%d: a secret is %d hexadecimal digits (openssl rand -hex 16 makes one)", name, n, hex.EncodedLen(len(s)))
		}
		if _, err := hex.Decode(s[:], text); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		out = append(out, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: there is no secret in it (openssl rand -hex 16 makes one)", name)
	}
	return out, nil
}

// bakeEvery is how often it is looked whether there are other secrets.
const bakeEvery = 10 * time.Second

// run tells of each change until ctx ends. What is wrong with a file is said
// once, and the secrets stay.
func (c *Cookies) run(ctx context.Context, log *slog.Logger, set func(cookie.Secrets)) {
	tick := time.NewTicker(bakeEvery)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := c.secrets(time.Now())
		if err != nil {
			if err.Error() != said {
				log.Warn("secrets of cookies are not read: those of before stay", "err", err)
			}
			said = err.Error()
			continue
		}
		if said = ""; !slices.Equal(next, c.now) {
			c.now = next
			set(next)
		}
	}
}
