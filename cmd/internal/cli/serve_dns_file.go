package cli

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
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

// How long a reading may take before the next one is not held up by it any
// longer, and how many may be under way: a file server that is gone answers no
// system call.
const (
	readTime = time.Minute
	readers  = 4
)

// networkFile is the network file of a name server alone, and the files of its
// zones.
type networkFile struct {
	env     *Env
	name    string
	prepare func(*landfall.Map) error // last word before a map is served
	log     *slog.Logger
	state   string // directory where the last good map is kept; "" keeps none
	spare   bool   // it may be served if the files have faults from the start

	now    atomic.Pointer[landfall.Map] // in force
	stamps map[string]stamp             // of the files that were read last, whatever became of them
	busy   patience

	wrong  atomic.Pointer[string] // why the last reading is not served; nil: it is
	loaded atomic.Int64           // when what is served was read, in Unix seconds; 0: by another process
	stuck  string                 // why there was no reading; empty if there was
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
func (f *networkFile) open(ctx context.Context) (*landfall.Map, error) {
	f.busy = make(patience, readers)
	got, err := await(ctx, f.busy, func() filesRead { return f.read(nil) })
	if err != nil {
		return nil, fmt.Errorf("network file %s: %w", title(f.name), err)
	}
	m, err := f.take(got)
	switch {
	case err == nil:
		f.serve(m)
	case got.err != nil && f.spare:
		if m, err = f.openLast(err); err == nil {
			f.now.Store(m)
		}
	}
	return m, err
}

// filesRead is what came of reading the files.
type filesRead struct {
	config.Reading
	stamps map[string]stamp
	err    error
}

// read reads the files, which are to follow a map, and changes nothing.
func (f *networkFile) read(before *landfall.Map) (got filesRead) {
	got.stamps = map[string]stamp{}
	about := func(name string) { got.stamps[name] = f.stamp(name) }
	got.Reading, got.err = readNetwork(f.env, f.name, about, func(m *landfall.Map) (faults, notes []landfall.Fault) {
		return beheaded(before, m), nil
	})
	if got.err == nil && len(got.Problems) > 0 {
		got.err = &config.Error{Problems: got.Problems}
	}
	return got
}

// take makes a map of what was read. Its serial is when the youngest of the files was
// written, and more than that of the map before, so that the serials of zones
// grow with each edit and are the same wherever the same files are.
func (f *networkFile) take(got filesRead) (*landfall.Map, error) {
	f.stamps = got.stamps
	if got.err != nil {
		return nil, got.err
	}
	m := got.Map
	for _, n := range got.Notes {
		f.log.Warn("network file", "err", n.Error()+" ("+n.Cure+")")
	}
	for _, s := range f.stamps {
		m.Serial = max(m.Serial, landfall.Serial(max(s.changed.Unix(), 0)))
	}
	if before := f.now.Load(); before != nil {
		m.Serial = max(m.Serial, before.Serial+1)
	}
	f.remember(m)
	return m, f.prepare(m)
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
		before = f.look(ctx, before, apply)
	}
}

// look looks at the files and reads them if they have changed, but not since
// the look before. It returns what it saw.
func (f *networkFile) look(ctx context.Context, before map[string]stamp, apply func(*landfall.Map)) map[string]stamp {
	within, stop := context.WithTimeoutCause(ctx, readTime, errSlowReading)
	defer stop()
	names, m := slices.Collect(maps.Keys(f.stamps)), f.now.Load()
	now, err := await(within, f.busy, func() map[string]stamp {
		seen := map[string]stamp{}
		for _, name := range names {
			seen[name] = f.stamp(name)
		}
		return seen
	})
	var got filesRead
	switch {
	case err == nil && (before == nil || maps.Equal(now, f.stamps) || !maps.Equal(now, before)):
		return now
	case err == nil:
		got, err = await(within, f.busy, func() filesRead { return f.read(m) })
	}
	switch {
	case ctx.Err() != nil:
	case err == nil:
		f.stuck = ""
		f.renew(got, apply)
	case f.stuck != err.Error():
		f.stuck = err.Error()
		f.refuse(err)
	}
	return now
}

// renew takes what the files say now, unless it is wrong or nothing new.
func (f *networkFile) renew(got filesRead, apply func(*landfall.Map)) {
	m, err := f.take(got)
	if err != nil {
		f.refuse(err)
		return
	}
	if f.wrong.Swap(nil) != nil {
		f.log.Warn("network file is whole again")
	}
	before := f.now.Load()
	changes := landfall.Diff(before, m)
	if len(changes) == 0 {
		f.loaded.Store(time.Now().Unix())
		return
	}
	f.serve(m)
	apply(m)
	f.log.Info("network file read again", "serial", m.Serial, "changes", len(changes))
	tellZones(f.log, before, m)
}

// refuse tells what is wrong with the files.
func (f *networkFile) refuse(err error) {
	const said = "network file refused: the old one stays"
	bad, ok := err.(*config.Error)
	why := err.Error()
	if ok && len(bad.Problems) > 0 {
		why = bad.Problems[0].Error()
	}
	f.wrong.Store(&why)
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
