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
	// SHA256 is the package's checksum in hex, or Unchecked.
	SHA256 string
}

// Unchecked in place of a checksum has a server install, as root, whatever
// the package's URL gives it over TLS.
const Unchecked = "none"

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
	return CheckPackage(cfg.Package, cfg.SHA256)
}

// CheckPackage says what is wrong with a package's URL and its checksum, which
// are given both or neither. Nobody is to forget the checksum: who holds the
// URL's host would be root on every new server.
func CheckPackage(at, sha256 string) error {
	switch {
	case at == "" && sha256 == "":
		return nil
	case at == "":
		return errors.New("a checksum without a package URL")
	case sha256 == "":
		return fmt.Errorf("package URL %q without a checksum: give the one that sha256sum prints, or %q to install whatever comes from there", at, Unchecked)
	case sha256 != Unchecked && !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(sha256):
		return fmt.Errorf("checksum %q: want the 64 hex digits, in lower case, that sha256sum prints, or %q", sha256, Unchecked)
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" || u.Host == "" || !strings.HasSuffix(u.Path, ".deb") {
		return fmt.Errorf("package URL %q: want https://HOST/NAME.deb", at)
	}
	return nil
}
