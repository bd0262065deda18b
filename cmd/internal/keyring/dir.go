package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/dnssec/roll"
	"landfall/geodns/zone"
)

// The endings of files in a Dir.
const (
	stateEnd   = ".json"
	bundleEnd  = ".bundle"
	publicEnd  = ".key"
	privateEnd = ".private"
	anchorEnd  = ".anchor"
	lockFile   = "lock"
)

// ErrNoKeys says that a directory has no keys for a zone.
var ErrNoKeys = errors.New("no keys")

// Dir is a directory with keys, or a file with one bundle.
type Dir string

// DefaultPolicy is that of a directory that a Keeper looks after.
func DefaultPolicy() roll.Policy {
	const day = 24 * time.Hour
	return roll.Policy{
		KeyTTL: time.Hour, ZoneTTL: day, ParentTTL: day, ParentLag: time.Hour, Propagation: time.Hour,
		ZSKLife: 90 * day, Ahead: 90 * day,
	}
}

// Anchor is the file with the KSKs of a zone, as delv wants it.
func (d Dir) Anchor(zone string) string { return d.file(zone, anchorEnd) }

// Zones are the zones that there are keys or a bundle for, sorted, and those that
// there were keys for.
func (d Dir) Zones() ([]string, error) {
	if d.isFile() {
		b, err := ReadBundle(string(d))
		if err != nil {
			return nil, err
		}
		return []string{b.Zone.String()}, nil
	}
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var out []string
	for _, e := range entries {
		for _, end := range []string{stateEnd, bundleEnd, anchorEnd} {
			if name, ok := strings.CutSuffix(e.Name(), end); ok && name != "" && !strings.HasPrefix(name, ".") && (end != stateEnd || d.isState(name)) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (d Dir) file(zone, end string) string {
	if end == bundleEnd && d.isFile() {
		return string(d)
	}
	return filepath.Join(string(d), zone+end)
}

// isState reports whether a file is about keys, whole or damaged: programs keep
// other things as JSON as well.
func (d Dir) isState(name string) bool {
	var about struct {
		Zone *string `json:"zone"`
	}
	b, err := os.ReadFile(d.file(name, stateEnd))
	return err != nil || json.Unmarshal(b, &about) != nil || about.Zone != nil
}

func (d Dir) has(zone, end string) bool {
	_, err := os.Stat(d.file(zone, end))
	return err == nil
}

func (d Dir) isFile() bool {
	info, err := os.Stat(string(d))
	return err == nil && info.Mode().IsRegular()
}

// State is what is known of a zone's keys; ErrNoKeys if there are none.
func (d Dir) State(name string) (s roll.State, err error) {
	file := d.file(name, stateEnd)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && d.has(name, anchorEnd) && !d.has(name, bundleEnd) {
		return s, fmt.Errorf("%s: it is gone, and %s is there still (put a good copy back)", file, d.Anchor(name))
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return s, fmt.Errorf("%s: %w for the zone %s (landfall dns keys init makes some)", d, ErrNoKeys, name)
	}
	if err == nil {
		err = decode(b, &s)
	}
	if err == nil && s.Zone != name {
		err = fmt.Errorf("it is of the zone %q", s.Zone)
	}
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w (put a good copy back)", file, err)
	}
	return s, nil
}

func decode(b []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// Begin makes the keys of a zone that has none. Where keys are given, they are
// used in place of new ones.
func (d Dir) Begin(name string, p roll.Policy, now time.Time, given ...dnssec.Key) (roll.State, error) {
	unlock, err := d.lock()
	if err != nil {
		return roll.State{}, err
	}
	defer unlock()
	if old, err := d.State(name); err == nil && (old.End.IsZero() || now.Before(old.End)) {
		return old, fmt.Errorf("%s: there are keys for the zone %s: landfall dns keys status shows them", d, name)
	} else if err != nil && !errors.Is(err, ErrNoKeys) {
		return old, err
	} else if err != nil {
		if err := d.bare(name, now, len(given) > 0); err != nil {
			return old, err
		}
	}
	s := roll.Begin(name, p, second(now))
	for _, k := range given {
		i := slices.IndexFunc(s.Keys, func(of roll.Key) bool { return flags(of.Role) == k.Flags() })
		if i < 0 || len(s.Keys[i].Public) > 0 {
			return s, fmt.Errorf("zone %s: give one KSK and one ZSK at most", name)
		}
		if err := d.putKey(s, k); err != nil {
			return s, err
		}
		s = s.Made(s.Keys[i].ID, k.Public)
	}
	s, _, _ = s.Next(second(now), roll.Facts{})
	return d.put(roll.State{}, s)
}

// Change has what is known of a zone's keys changed: keys that it then lacks are
// made, and those that it forgot are deleted. A change to the very same changes
// nothing.
func (d Dir) Change(name string, change func(roll.State) (roll.State, error)) (roll.State, error) {
	unlock, err := d.lock()
	if err != nil {
		return roll.State{}, err
	}
	defer unlock()
	before, err := d.State(name)
	if err != nil {
		return before, err
	}
	after, err := change(before)
	if err != nil || after.Equal(before) {
		return after, err
	}
	return d.put(before, after)
}

// put makes the keys that a state lacks, then writes it, then deletes keys that
// the one before had: killed in between, it leaves a key too many.
func (d Dir) put(before, s roll.State) (roll.State, error) {
	if err := sweep(string(d)); err != nil {
		return before, err
	}
	for _, k := range s.Keys {
		if len(k.Public) > 0 {
			continue
		}
		made, err := d.generate(s, k.Role)
		if err != nil {
			return before, err
		}
		s = s.Made(k.ID, made.Public)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return before, err
	}
	if err := write(d.file(s.Zone, stateEnd), append(b, '\n'), 0o644); err != nil {
		return before, err
	}
	if err := d.putAnchor(s); err != nil {
		return s, err
	}
	for _, k := range before.Keys {
		if _, kept := s.Key(k.ID); !kept {
			if err := d.delete(s.Zone, k); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// second leaves fractions out, which neither records nor people know.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func flags(r roll.Role) uint16 {
	if r == roll.KSK {
		return dnssec.KSK
	}
	return dnssec.ZSK
}

// generate makes a key whose tag no other of the zone has, and writes it.
func (d Dir) generate(s roll.State, r roll.Role) (dnssec.Key, error) {
	for {
		k, err := dnssec.Generate(flags(r))
		if err != nil {
			return k, err
		}
		same := slices.ContainsFunc(s.Keys, func(of roll.Key) bool {
			other, err := dnssec.ParseKey(of.Public)
			return err == nil && other.Tag == k.Tag
		})
		if !same {
			return k, d.putKey(s, k)
		}
	}
}

func (d Dir) putKey(s roll.State, k dnssec.Key) error {
	_, err := WriteKey(string(d), s, k)
	return err
}

// WriteKey writes the files of a key to a directory, the secret first, and
// returns their name without ending.
func WriteKey(dir string, s roll.State, k dnssec.Key) (base string, err error) {
	apex, err := zone.ParseName(s.Zone)
	if err != nil {
		return "", err
	}
	public, private := bundle.FormatKey(apex, k, uint32(s.Policy.KeyTTL/time.Second))
	base = filepath.Join(dir, bundle.BaseName(apex, k))
	if private != "" {
		if err := write(base+privateEnd, []byte(private), 0o600); err != nil {
			return "", err
		}
	}
	return base, write(base+publicEnd, []byte(public), 0o644)
}

// putAnchor writes the KSKs as delv wants them (-a).
func (d Dir) putAnchor(s roll.State) error {
	var keys []dnssec.Key
	apex, err := zone.ParseName(s.Zone)
	if err != nil {
		return err
	}
	for _, k := range s.Keys {
		key, err := dnssec.ParseKey(k.Public)
		if err != nil {
			return err
		}
		if k.Role == roll.KSK {
			keys = append(keys, key)
		}
	}
	return write(d.file(s.Zone, anchorEnd), []byte(bundle.Anchor(apex, keys)), 0o644)
}

func (d Dir) delete(name string, k roll.Key) error {
	apex, key, err := parts(name, k)
	if err != nil {
		return err
	}
	base := d.file(bundle.BaseName(apex, key), "")
	for _, end := range []string{privateEnd, publicEnd} {
		if err := os.Remove(base + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete key: %w", err)
		}
	}
	return nil
}

func parts(name string, k roll.Key) (zone.Name, dnssec.Key, error) {
	apex, err := zone.ParseName(name)
	if err != nil {
		return "", dnssec.Key{}, err
	}
	key, err := dnssec.ParseKey(k.Public)
	return apex, key, err
}

// Private are the private halves of a zone's keys that are here.
func (d Dir) Private(s roll.State) (map[roll.ID]dnssec.Key, error) {
	out := map[roll.ID]dnssec.Key{}
	for _, k := range s.Keys {
		apex, key, err := parts(s.Zone, k)
		if err != nil {
			return nil, fmt.Errorf("zone %s: key %d: %w", s.Zone, k.ID, err)
		}
		base := d.file(bundle.BaseName(apex, key), "")
		whole, err := ReadKey(base)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(whole.Public, k.Public) {
			return nil, fmt.Errorf("%s%s: it is not key %d: put a good copy back", base, publicEnd, k.ID)
		}
		out[k.ID] = whole
	}
	return out, nil
}

// ReadKey reads the files of a key, both halves, by their name without ending.
func ReadKey(base string) (dnssec.Key, error) {
	private, err := secret(base + privateEnd)
	if err != nil {
		return dnssec.Key{}, err
	}
	public, err := os.ReadFile(base + publicEnd)
	if err != nil {
		return dnssec.Key{}, err
	}
	_, k, err := bundle.ParseKey(string(public), string(private))
	if err != nil {
		return k, fmt.Errorf("%s: %w", base, err)
	}
	return k, nil
}

// secret reads a file that nobody but its owner may read.
func secret(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others (mode %o): chmod 600 it, and think of who may have read it", name, mode)
	}
	return os.ReadFile(name)
}

// lock keeps others from changing the directory until unlock is called. It is
// held for a moment at a time.
func (d Dir) lock() (unlock func(), err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(string(d), lockFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("keys: lock %s: %w", d, err)
	}
	return func() { f.Close() }, nil
}
