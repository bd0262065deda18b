package keyring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// officeFile is locked for as long as a process looks after a directory.
const officeFile = "keeper"

// handed is how long one process may wait for another's office in silence: as
// long as both live while one takes the place of the other.
const handed = time.Minute

// stand makes this the one Keeper that has keys change, if no other is. All
// others go by what it does.
func (k *Keeper) stand() {
	if k.office != nil || k.cfg.Dir.isFile() {
		return
	}
	f, err := os.OpenFile(filepath.Join(string(k.cfg.Dir), officeFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
		}
	}
	now := time.Now()
	switch {
	case err == nil:
		k.office, k.waits = f, time.Time{}
		k.mind(nil)
	case !errors.Is(err, unix.EWOULDBLOCK):
		if names, _ := k.cfg.Dir.Zones(); len(names) > 0 && k.changes(names) {
			k.mind(fmt.Errorf("keys: %w", err))
		}
	case k.waits.IsZero():
		k.waits = now
	case now.Sub(k.waits) > handed:
		k.mind(fmt.Errorf("another process looks after %s: this one only reads it", k.cfg.Dir))
	}
}

// mind has the log hear once why keys do not change here.
func (k *Keeper) mind(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && k.said[officeFile] != text {
		k.cfg.Log.Warn("dnssec: keys are not looked after here", "err", err)
	}
	k.said[officeFile] = text
}

// changes reports whether there are keys that change, and not bundles alone.
func (k *Keeper) changes(names []string) bool {
	for _, name := range names {
		if k.cfg.Dir.has(name, stateEnd) {
			return true
		}
	}
	return false
}

// resign lets another one look after the directory.
func (k *Keeper) resign() {
	if k.office != nil {
		k.office.Close()
		k.office = nil
	}
}
