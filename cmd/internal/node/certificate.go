package node

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateEvery is how often the files of a certificate are looked at, at
// most.
const certificateEvery = 10 * time.Second

// Certificate is what a name server shows to who comes by TLS. It is read again
// when its files change; one that cannot be read leaves the old one in force.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex // guards what follows
	now     *tls.Certificate
	read    [2]stamp
	checked time.Time
}

// stamp is what tells whether a file has changed.
type stamp struct {
	size int64
	mod  time.Time
}

// OpenCertificate reads a certificate, with those that lead to its authority
// after it, and its private key, in PEM.
func OpenCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log, checked: time.Now()}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// Get is the certificate for a connection that begins.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) >= certificateEvery {
		c.checked = time.Now()
		if stamps, err := c.stamps(); err != nil || stamps != c.read {
			c.reload()
		}
	}
	return c.now, nil
}

// reload keeps the old certificate if there is no new one. The lock is held.
func (c *Certificate) reload() {
	if err := c.load(); err != nil {
		c.log.Warn("certificate not read again: the one before stays in force", "err", err)
		return
	}
	c.log.Info("certificate read again", "subject", c.now.Leaf.Subject.String(), "until", c.now.Leaf.NotAfter)
}

func (c *Certificate) load() error {
	stamps, err := c.stamps()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.cert, c.key, err)
	}
	c.now, c.read = &pair, stamps
	return nil
}

func (c *Certificate) stamps() (out [2]stamp, err error) {
	for i, file := range []string{c.cert, c.key} {
		info, err := os.Stat(file)
		if err != nil {
			return out, fmt.Errorf("certificate: %w", err)
		}
		out[i] = stamp{info.Size(), info.ModTime()}
		if file == c.key && info.Mode().Perm()&0o007 != 0 {
			return out, fmt.Errorf("certificate: its key %s may be read by everybody here: chmod o= %s", file, file)
		}
	}
	return out, nil
}
