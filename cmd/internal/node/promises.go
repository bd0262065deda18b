package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/keep"
	"landfall/geodns/zone"
)

// promisesFile is where a name server alone keeps which zones it has answered
// signed. Resolvers that validate believe no other answers of them, so that
// without keys they are not answered.
const promisesFile = "signed.json"

// promised is what is in it.
type promised struct {
	Zones []string `json:"zones"`
}

// promises are the zones that a name server alone has to sign.
type promises struct {
	dir   *os.Root // nil: they do not outlive the process
	zones map[string]bool
	kept  map[string]bool // in the file

	mu   sync.Mutex // guards told
	told []string   // zones that the log has heard of
}

// open reads what there is, but for zones that may be unsigned from now on.
func (p *promises) open(dir *os.Root, unsigned []string) (err error) {
	p.dir = dir
	var b []byte
	if dir != nil {
		if b, err = dir.ReadFile(promisesFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("signed zones: %w", err)
		}
	}
	if p.kept = map[string]bool{}; b != nil {
		if p.kept, err = parsePromises(b); err != nil {
			return fmt.Errorf("%s/%s: %w (write {\"zones\": [...]} there, with the zones that were signed)", dir.Name(), promisesFile, err)
		}
	}
	p.zones = maps.Clone(p.kept)
	for _, name := range unsigned {
		delete(p.zones, name)
	}
	return nil
}

func parsePromises(b []byte) (map[string]bool, error) {
	var all promised
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	zones := map[string]bool{}
	for _, name := range all.Zones {
		apex, err := zone.ParseName(name)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		zones[apex.String()] = true
	}
	return zones, nil
}

// settle takes note of what zones are signed with from now on, and returns those
// that have to be signed and have no keys. A zone that has come to its end need
// not be any more.
func (p *promises) settle(all []bundle.Bundle, now time.Time) (lacked []string, err error) {
	have := map[string]bool{}
	for _, b := range all {
		name := b.Zone.String()
		if have[name], p.zones[name] = true, true; b.Ended(now) {
			delete(p.zones, name)
		}
	}
	for name := range p.zones {
		if !have[name] {
			lacked = append(lacked, name)
		}
	}
	slices.Sort(lacked)
	return lacked, p.write()
}

func (p *promises) write() error {
	if p.dir == nil || maps.Equal(p.zones, p.kept) {
		return nil
	}
	err := keep.Write(p.dir, promisesFile, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(promised{slices.Sorted(maps.Keys(p.zones))})
	})
	if err == nil {
		p.kept = maps.Clone(p.zones)
	}
	return err
}

// signAlone has the name server sign with keys that no map brings. What it
// promises by that is written down before.
func (d *DNS) signAlone(all []bundle.Bundle) {
	now := time.Now()
	lacked, err := d.keys.alone.settle(all, now)
	if err != nil {
		d.log.Error("dnssec: a restart would not know which zones have to be signed", "err", err)
	}
	keys := usable(all, now)
	for _, name := range lacked {
		if apex, err := zone.ParseName(name); err == nil { // as all of them are
			keys = append(keys, dnssec.Keys{Zone: apex})
		}
	}
	d.keys.lacked.Store(&lacked)
	d.tellLacked()
	d.sign(keys)
}

// errLacked says what to do about a zone that has lost its keys.
var errLacked = errors.New("it was answered signed: put its keys back (or start with --unsigned ZONE, once the parent zone has no DS record of it)")

// tellLacked has the log hear of zones that are not answered for any more.
func (d *DNS) tellLacked() {
	m := d.keys.now.Load()
	if m == nil || d.keys.alone.zones == nil {
		return
	}
	d.keys.alone.mu.Lock()
	defer d.keys.alone.mu.Unlock()
	lacking := d.Lacking(m)
	for _, name := range lacking {
		if !slices.Contains(d.keys.alone.told, name) {
			d.log.Error("dnssec: a zone has no keys: not answering for it", "zone", name, "err", errLacked)
		}
	}
	d.keys.alone.told = lacking
}

// Lacking are the zones of a map that are not answered for, as they have to be
// signed and cannot be.
func (d *DNS) Lacking(m *landfall.Map) (out []string) {
	names := []string{m.Domain}
	for _, z := range m.Zones {
		names = append(names, z.Name)
	}
	for _, name := range d.unsigned() {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSuffix(n, "."), name) }) {
			out = append(out, name)
		}
	}
	return out
}
