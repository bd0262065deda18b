package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/dnssec/roll"
)

// bare says why keys of a zone must not be made where none are known of: other
// ones are in service, or were. Some that were given may lie there.
func (d Dir) bare(name string, now time.Time, given bool) error {
	file := d.file(name, bundleEnd)
	switch b, err := ReadBundle(file); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%w: it has to go before there can be other keys of %s, once the parent zone has no DS record", err, name)
	case !b.Ended(now):
		return fmt.Errorf("%s: %s is signed elsewhere until %s: what has new keys at once is believed by nobody (to have its keys here, move that file away and bring %s and the K files from where the KSK is)",
			file, name, clock(b.Until()), name+stateEnd)
	}
	if given {
		return nil
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	for _, e := range entries {
		if at := e.Name(); strings.HasPrefix(at, "K"+name+".+") && strings.HasSuffix(at, privateEnd) {
			return fmt.Errorf("%s: a key of %s is there, and %s is not: put that back, take the key over with --from, or move it away if the parent zone has no DS record",
				d.file(at, ""), name, name+stateEnd)
		}
	}
	return nil
}

// rival says whether a bundle lies beside keys that has nothing in common with
// them: one of both is believed, and nobody here knows which.
func (d Dir) rival(s roll.State, now time.Time) error {
	if !d.has(s.Zone, bundleEnd) {
		return nil
	}
	file := d.file(s.Zone, bundleEnd)
	b, err := ReadBundle(file)
	if err != nil {
		return err
	}
	if b.Ended(now) || shares(b, s) {
		return nil
	}
	return fmt.Errorf("%s and %s are about different keys of one zone: move the one away that the parent zone has no DS record of", d.file(s.Zone, stateEnd), file)
}

// shares reports whether a bundle shows a KSK of a zone's keys.
func shares(b bundle.Bundle, s roll.State) bool {
	for _, stretch := range b.Stretches {
		for _, set := range stretch.Sets {
			for _, data := range set.Data {
				key, err := dnssec.ParseKey(data)
				if err == nil && key.Flags() == dnssec.KSK && has(s, data) {
					return true
				}
			}
		}
	}
	return false
}

func has(s roll.State, public []byte) bool {
	return slices.ContainsFunc(s.Keys, func(k roll.Key) bool { return bytes.Equal(k.Public, public) })
}
