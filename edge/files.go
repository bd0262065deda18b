package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often certificate files are looked at.
const lookEvery = 2 * time.Second

// files is a Certificates with one certificate, from two PEM files that an
// operator or a tool may replace at any time.
type files struct {
	cert, key string
	log       *slog.Logger
	now       atomic.Pointer[tls.Certificate]

	mu     sync.Mutex // guards what follows
	stamps [2]stamp   // of what now was read from
	said   string     // the last fault
}

// stamp tells one content of a file from the next without reading it.
type stamp struct {
	size int64
	when time.Time
}

// Certificate implements Certificates.
func (f *files) Certificate(_ context.Context, host string) (*tls.Certificate, error) {
	c := f.now.Load()
	if c == nil {
		return nil, errors.New("certificate files not read yet")
	}
	if err := c.Leaf.VerifyHostname(host); err != nil {
		return nil, fmt.Errorf("certificate %s: %w", f.cert, err)
	}
	return c, nil
}

// hosts are the names of the certificate, wildcards among them.
func (f *files) hosts() []string { return f.now.Load().Leaf.DNSNames }

// load reads the files; mu is held, or nobody watches yet. What was read
// before stays if it fails.
func (f *files) load() error {
	stamps, err := f.look()
	if err != nil {
		return err
	}
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	if len(c.Leaf.DNSNames) == 0 {
		return fmt.Errorf("certificate %s: it names no host (want a subject alternative name)", f.cert)
	}
	f.stamps = stamps
	f.now.Store(&c)
	return nil
}

func (f *files) look() (s [2]stamp, err error) {
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return s, fmt.Errorf("certificate files: %w", err)
		}
		s[i] = stamp{info.Size(), info.ModTime()}
	}
	return s, nil
}

// watch calls reread until ctx ends.
func (f *files) watch(ctx context.Context, changed func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.reread(changed)
		}
	}
}

// reread loads the files if they have changed, and calls changed after it. A
// pair half replaced is tried again until it fits; each fault is told once.
func (f *files) reread(changed func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamps, err := f.look()
	if err == nil && stamps == f.stamps {
		return
	}
	if err = f.load(); err != nil {
		if err.Error() != f.said {
			f.log.Warn("certificate not reloaded", "err", err)
		}
		f.said = err.Error()
		return
	}
	f.said = ""
	f.log.Info("certificate reloaded", "file", f.cert)
	changed()
}
