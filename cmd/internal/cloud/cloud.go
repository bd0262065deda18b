// Package cloud writes user data for new servers: a join token and the way to
// the program go in, a #cloud-config (cloud-init's format) comes out, with
// which a server made at any provider joins the network at its first start.
//
// It is text alone: it asks nobody, checks no token, and makes no server.
package cloud

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"landfall"
)

// Config is what user data is made of.
type Config struct {
	Network string
	Node    landfall.NodeID
	Token   string    // in clear, as `landfall join` takes it
	Expires time.Time // of the token

	// Package is the https URL of the Debian package; empty says that the
	// server's image has Landfall already.
	Package string
	// SHA256 is the package's checksum in hex; empty: whatever comes from
	// Package over TLS is installed.
	SHA256 string
}

// UserData is the document to give to the provider. It holds the token: who
// reads it before the server has joined can join in its place.
func UserData(cfg Config) (string, error) {
	if err := cfg.check(); err != nil {
		return "", fmt.Errorf("cloud-init: %w", err)
	}
	return cfg.document(), nil
}

func (cfg Config) check() error {
	if strings.ContainsFunc(cfg.Network+string(cfg.Node), unicode.IsControl) {
		return fmt.Errorf("network %q, node %q: a name has control characters", cfg.Network, cfg.Node)
	}
	if cfg.Token == "" || strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the token is no single word of ASCII: pass it as `landfall invite` prints it")
	}
	if cfg.SHA256 != "" && !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(cfg.SHA256) {
		return fmt.Errorf("checksum %q: want the 64 hex digits, in lower case, that sha256sum prints", cfg.SHA256)
	}
	if cfg.Package == "" {
		if cfg.SHA256 != "" {
			return errors.New("a checksum without a package URL")
		}
		return nil
	}
	u, err := url.Parse(cfg.Package)
	if err != nil || u.Scheme != "https" || u.Host == "" || !strings.HasSuffix(u.Path, ".deb") {
		return fmt.Errorf("package URL %q: want https://HOST/NAME.deb", cfg.Package)
	}
	return nil
}
