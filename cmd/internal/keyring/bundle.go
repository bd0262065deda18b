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
	if errors.Is(err, ErrNoKeys) {
		k, err = ReadBundle(d.file(name, bundleEnd))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w for the zone %s", d, ErrNoKeys, name)
	}
	return k, err
}

// Install takes over a bundle that was made elsewhere.
func (d Dir) Install(k bundle.Bundle) error {
	name := k.Zone.String()
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(d.file(name, stateEnd)); err == nil {
		return fmt.Errorf("%s: the zone %s has keys of its own there: a bundle would be of no use", d, name)
	}
	if old, err := ReadBundle(d.file(name, bundleEnd)); err == nil && k.End.IsZero() && k.Until().Before(old.Until()) {
		return fmt.Errorf("%s: the bundle of %s that is there lasts longer, until %s: this one is older", d, name, old.Until().Format(time.RFC3339))
	}
	return WriteBundle(d.file(name, bundleEnd), k)
}

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
