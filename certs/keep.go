package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// recordSuffix ends the names of the groups' files.
const recordSuffix = ".json"

// load takes up what an earlier run kept.
func (k *Keeper) load() error {
	files, err := sweep(k.cfg.Dir)
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, file := range files {
		if name, ok := strings.CutSuffix(file, recordSuffix); ok {
			g := &group{name: name}
			k.groups[name] = g
			if k.read(g); g.damaged != nil {
				k.cfg.Log.Error("certificate on disk not used", "err", g.damaged)
			}
		}
	}
	return nil
}

// read takes a group from its file. One that is no more is a new beginning;
// mu is held.
func (k *Keeper) read(g *group) {
	hosts, renew := g.rec.Hosts, g.rec.Renew
	b, err := readSecret(k.cfg.Dir, g.name+recordSuffix)
	if err == nil {
		if g.rec, g.cert, err = parseRecord(b); err != nil {
			err = fmt.Errorf("%s: %w (remove it to have the certificate ordered again)", k.path(g), err)
		}
	}
	if hosts != nil { // the map knows better than the file
		g.rec.Hosts = hosts
	}
	if renew != "" {
		g.rec.Renew = renew
	}
	g.damaged = err
	if errors.Is(err, fs.ErrNotExist) {
		g.damaged = nil
	}
}

func (k *Keeper) path(g *group) string {
	return filepath.Join(k.cfg.Dir.Name(), g.name+recordSuffix)
}

// commit writes a group's record. What is written or not, the record in
// memory is the new one.
func (k *Keeper) commit(g *group, r record) error {
	k.mu.Lock()
	g.rec = r
	k.mu.Unlock()
	b, err := r.format()
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", names(r.Hosts), err)
	}
	return writeFile(k.cfg.Dir, g.name+recordSuffix, b, 0o600)
}

// tidy forgets groups that nobody wants and whose certificates have ended. A
// service that is taken out and put back finds its certificate until then.
func (k *Keeper) tidy(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, g := range k.groups {
		over := (g.cert == nil || now.After(g.cert.Leaf.NotAfter)) && now.After(g.rec.Next)
		if g.wanted || !over || g.damaged != nil || len(g.rec.Revoke) > 0 || g.rec.Renew != "" {
			continue
		}
		if err := k.cfg.Dir.Remove(name + recordSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.cfg.Log.Warn("certificate of no use stays on disk", "err", err)
		}
		delete(k.groups, name)
	}
}

// publish shows edges the certificates that the map's services have now.
func (k *Keeper) publish(now time.Time) {
	var members []member
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		if g := k.groups[name]; g.wanted && g.cert != nil && now.Before(g.cert.Leaf.NotAfter) {
			members = append(members, member{g.rec.Chain, g.rec.Key})
		}
	}
	if len(members) == 0 {
		return // edges keep what they have
	}
	b, err := encodeBundle(members)
	if err != nil {
		k.cfg.Log.Error("certificates not sent", "err", err)
		return
	}
	k.shelf.put(b)
}
