package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"landfall/geodns/dnssec/bundle"
)

// Sign makes a bundle of the keys of a zone, good for as long as its policy
// says.
func (d Dir) Sign(name string, now time.Time) (bundle.Bundle, error) {
	s, err := d.State(name)
	if err != nil {
		return bundle.Bundle{}, err
	}
	private, err := d.Private(s)
	if err != nil {
		return bundle.Bundle{}, err
	}
	return bundle.Make(s, private, now, now.Add(s.Policy.Ahead))
}

// Bundle is what name servers sign a zone with: made here where its KSK is, else
// what was brought.
func (d Dir) Bundle(name string, now time.Time) (bundle.Bundle, error) {
	k, err := d.Sign(name, now)
	k.Made = time.Time{} // it is made again and again, out of what the state says
	if errors.Is(err, ErrNoKeys) {
		k, err = ReadBundle(d.file(name, bundleEnd))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w for the zone %s", d, ErrNoKeys, name)
	}
	return k, err
}

// ahead is how far the clock of where a KSK is may be ahead of ours.
const ahead = time.Hour

// Install takes over a bundle that was made elsewhere, unless the one before is
// newer.
func (d Dir) Install(k bundle.Bundle, now time.Time) error {
	name := k.Zone.String()
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(d.file(name, stateEnd)); err == nil {
		return fmt.Errorf("%s: the zone %s has keys of its own there: a bundle would be of no use", d, name)
	}
	if k.Made.After(now.Add(ahead)) {
		return fmt.Errorf("the bundle of %s was made on %s, which is yet to come: one of two clocks is wrong, here or where the KSK is", name, clock(k.Made))
	}
	file := d.file(name, bundleEnd)
	if old, err := ReadBundle(file); err == nil {
		if err := succeeds(k, old); err != nil {
			return fmt.Errorf("%s stays: %w", file, err)
		}
	}
	return WriteBundle(file, k)
}

// succeeds says why a bundle may not take the place of another one.
func succeeds(k, old bundle.Bundle) error {
	const cure = "sign again where the KSK is, and bring that"
	switch {
	case k.Older(old):
		return fmt.Errorf("the bundle of %s that is in its place was made on %s, and this one %s: %s", old.Zone, clock(old.Made), made(k), cure)
	case k.End.IsZero() && k.Until().Before(old.Until()):
		return fmt.Errorf("the bundle of %s that is in its place lasts longer, until %s: %s", old.Zone, clock(old.Until()), cure)
	}
	return nil
}

func made(k bundle.Bundle) string {
	if k.Made.IsZero() {
		return "does not say when"
	}
	return "on " + clock(k.Made)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// Installed is the bundle of a zone whose keys are elsewhere.
func (d Dir) Installed(name string) (bundle.Bundle, error) {
	if _, err := d.State(name); !errors.Is(err, ErrNoKeys) {
		return bundle.Bundle{}, fmt.Errorf("%s: the keys of %s are here: there is no bundle", d, name)
	}
	return ReadBundle(d.file(name, bundleEnd))
}

// WriteBundle writes a bundle with its secrets.
func WriteBundle(file string, k bundle.Bundle) error {
	b, err := bundle.Encode(k, true)
	if err != nil {
		return err
	}
	return write(file, b, 0o600)
}

// ReadBundle reads a bundle with its secrets.
func ReadBundle(file string) (bundle.Bundle, error) {
	b, err := secret(file)
	if err != nil {
		return bundle.Bundle{}, err
	}
	k, err := bundle.Decode(b)
	if err != nil {
		return k, fmt.Errorf("%s: %w", file, err)
	}
	for _, s := range k.Signing {
		if s.Key.Private() == nil {
			return k, fmt.Errorf("%s: key %d has no private half: it is no whole bundle", file, s.Key.Tag)
		}
	}
	return k, nil
}
