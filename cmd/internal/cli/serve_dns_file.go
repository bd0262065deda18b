package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/cmd/internal/config"
)

// followEvery is the time between two looks at files. One that has changed is
// read when it stayed as it is from one look to the next: somebody may be
// writing it.
const followEvery = 2 * time.Second

// maxLogged is how many faults of one reading the log hears of.
const maxLogged = 20

// networkFile is the network file of a name server alone, and the files of its
// zones.
type networkFile struct {
	env     *Env
	name    string
	prepare func(*landfall.Map) error // last word before a map is served
	log     *slog.Logger

	now    atomic.Pointer[landfall.Map] // in force
	stamps map[string]stamp             // of the files that were read last, whatever became of them

	refused bool // the last reading
}

// stamp is what tells one version of a file from another; zero if there is no
// file.
type stamp struct {
	changed time.Time
	size    int64
}

func (f *networkFile) stamp(name string) stamp {
	info, err := os.Stat(f.env.Path(name))
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// open reads the files for the first time.
func (f *networkFile) open() (*landfall.Map, error) {
	m, err := f.read()
	if err != nil {
		return nil, err
	}
	f.now.Store(m)
	return m, nil
}

// read reads the files. The map's serial is when the youngest of them was
// written, and more than that of the map before, so that the serials of zones
// grow with each edit and are the same wherever the same files are.
func (f *networkFile) read() (*landfall.Map, error) {
	f.stamps = map[string]stamp{}
	r, err := readNetwork(f.env, f.name, func(name string) { f.stamps[name] = f.stamp(name) })
	if err == nil && len(r.Problems) > 0 {
		err = &config.Error{Problems: r.Problems}
	}
	if err != nil {
		return nil, err
	}
	for _, n := range r.Notes {
		f.log.Warn("network file", "err", n.Error()+" ("+n.Cure+")")
	}
	for _, s := range f.stamps {
		r.Map.Serial = max(r.Map.Serial, landfall.Serial(max(s.changed.Unix(), 0)))
	}
	if before := f.now.Load(); before != nil {
		r.Map.Serial = max(r.Map.Serial, before.Serial+1)
	}
	return r.Map, f.prepare(r.Map)
}

// follow has apply hear of each new map until ctx ends.
func (f *networkFile) follow(ctx context.Context, apply func(*landfall.Map)) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var before map[string]stamp
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if f.name == "-" {
			continue // it was read, and is gone
		}
		changed, settled := false, before != nil
		now := map[string]stamp{}
		for name, read := range f.stamps {
			now[name] = f.stamp(name)
			changed = changed || now[name] != read
			settled = settled && now[name] == before[name]
		}
		if before = now; changed && settled {
			f.renew(apply)
		}
	}
}

// renew takes what the files say now, unless it is wrong or nothing new.
func (f *networkFile) renew(apply func(*landfall.Map)) {
	m, err := f.read()
	if err != nil {
		f.refuse(err)
		f.refused = true
		return
	}
	if f.refused {
		f.log.Warn("network file is whole again")
		f.refused = false
	}
	changes := landfall.Diff(f.now.Load(), m)
	if len(changes) == 0 {
		return
	}
	f.now.Store(m)
	apply(m)
	f.log.Info("network file read again", "serial", m.Serial, "changes", len(changes))
}

// refuse tells what is wrong with the files.
func (f *networkFile) refuse(err error) {
	const said = "network file refused: the old one stays"
	bad, ok := err.(*config.Error)
	if !ok {
		f.log.Error(said, "err", err)
		return
	}
	for i, p := range bad.Problems {
		if i == maxLogged {
			f.log.Error(said, "err", fmt.Sprintf("and %d faults more: landfall check tells them", len(bad.Problems)-i))
			return
		}
		f.log.Error(said, "err", p.Error()+" ("+p.Cure+")")
	}
}
