package geofetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"landfall/geodns/locate"
	"landfall/geodns/prefix"
)

// Result is what a fetch brought.
type Result struct {
	Files []File
	// Difference is how far the new databases disagree with those of before;
	// Compared is false if there were none, or nothing is new.
	Difference locate.Difference
	Compared   bool
}

// File is one database.
type File struct {
	Edition string
	Path    string
	locate.Database
	Bytes int
	New   bool // it replaced another, or there was none
}

// RefusedError is about a database that was fetched and is not used.
type RefusedError struct {
	Reason string // for metrics: damaged, sum, form, edition, moved or shrank
	Err    error
	// Difference is what would have moved, if that is the reason; nil
	// otherwise.
	Difference *locate.Difference
}

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// passing reports whether another fetch may well be better.
func (e *RefusedError) passing() bool { return e.Reason == "damaged" || e.Reason == "sum" }

func refuse(reason string, err error) error { return &RefusedError{Reason: reason, Err: err} }

// Once asks the provider for what is newer than the files in the directory,
// and replaces them by it. After an error all files are as they were.
// A *RefusedError tells that something was fetched which is not fit for use.
func (f *Fetcher) Once(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	f.count(func(s *Stats) { s.Fetches++ })
	r, err := f.once(ctx)
	refused, ok := errors.AsType[*RefusedError](err)
	f.count(func(s *Stats) {
		switch {
		case ok:
			s.Refused[refused.Reason]++
		case err != nil:
			s.Failed++
		}
		for _, file := range r.Files {
			if file.New {
				s.Updates++
			}
		}
		if err == nil {
			f.last = time.Now()
		}
	})
	if err != nil {
		return Result{}, fmt.Errorf("fetch geographic databases: %w", err)
	}
	for _, file := range r.Files {
		f.cfg.Log.Info("geographic database fetched", "file", file.Path, "new", file.New, "built", file.Built)
	}
	return r, nil
}

func (f *Fetcher) once(ctx context.Context) (Result, error) {
	d, err := open(f.cfg.Dir)
	if err != nil {
		return Result{}, err
	}
	defer d.close()
	was, err := d.current(f.editions)
	if err != nil {
		return Result{}, err
	}
	is := slices.Clone(was)
	for i, e := range f.editions {
		got, err := f.download(ctx, e, was[i].record)
		if err != nil {
			return Result{}, err
		}
		if got.data != nil {
			is[i] = held{record{URL: got.url, ETag: got.etag, LastModified: got.modify, SHA256: sumOf(got.data)}, got.data}
		}
		if is[i].same(was[i]) {
			is[i].record.Database = was[i].record.Database
		}
	}
	r := Result{}
	if fresh(was, is) {
		if r, err = f.judge(was, is); err != nil {
			return Result{}, err
		}
	}
	if err := d.replace(f.editions, was, is); err != nil {
		return Result{}, err
	}
	for i, e := range f.editions {
		r.Files = append(r.Files, File{e.name, filepath.Join(f.cfg.Dir, e.file), is[i].record.Database, len(is[i].data), !is[i].same(was[i])})
	}
	return r, nil
}

// fresh reports whether any database is new, or none of those that were
// looked at before.
func fresh(was, is copies) bool {
	return !slices.EqualFunc(was, is, held.same) || slices.ContainsFunc(is, func(h held) bool { return h.record.Type == "" })
}

// judge refuses new databases that are not fit for use, and notes what the
// others are.
func (f *Fetcher) judge(was, is copies) (Result, error) {
	next, err := f.load(is)
	if err != nil {
		return Result{}, refuse("form", fmt.Errorf("what %s sent: %w", f.cfg.Provider, err))
	}
	for i, e := range f.editions {
		about := next.About().Places
		if e.networks {
			about = next.About().Networks
		}
		if !e.is(about.Type) {
			return Result{}, refuse("edition", fmt.Errorf("edition %s: the file is a %q, and %q was asked for", e.name, about.Type, e.kind))
		}
		is[i].record.Database = about
	}
	last, err := f.load(was)
	if err != nil { // none yet, or damaged: anything is better
		return Result{}, nil
	}
	r := Result{Difference: locate.Compare(last, next, far), Compared: true}
	if f.cfg.Force {
		return r, nil
	}
	d := &r.Difference
	return r, errors.Join(f.moved(d, "IPv4 addresses", d.V4), f.moved(d, "IPv6 prefixes", d.V6), shrunk(last, next))
}

// moved refuses tables by which too much of a family is elsewhere.
func (f *Fetcher) moved(d *locate.Difference, what string, m locate.Moved) error {
	if m.Share() <= f.cfg.MaxMove {
		return nil
	}
	err := fmt.Errorf("%.1f%% of the known %s would move, and %v may: look at what moved, then force it if it is right", 100*float64(m.Share()), what, f.cfg.MaxMove)
	return &RefusedError{Reason: "moved", Err: err, Difference: d}
}

// far is the distance in kilometres from which on a client has moved: less
// does not change which edge is near.
const far = 500

// shrunk refuses tables of less than half the prefixes of before.
func shrunk(last, next *locate.Table) error {
	for _, of := range []struct {
		name string
		was  *prefix.Table
		is   *prefix.Table
	}{{"places", last.Places(), next.Places()}, {"networks", last.Networks(), next.Networks()}} {
		if was, is := known(of.was), known(of.is); 2*is < was {
			return refuse("shrank", fmt.Errorf("the table of %s has %d prefixes, and had %d: look at the file, then force it if it is right", of.name, is, was))
		}
	}
	return nil
}

// known counts the prefixes of which something is known.
func known(t *prefix.Table) int {
	n := 0
	for _, label := range t.All() {
		if label != 0 {
			n++
		}
	}
	return n
}

// load makes a table of databases.
func (f *Fetcher) load(c copies) (*locate.Table, error) {
	var d locate.Data
	for i, e := range f.editions {
		switch {
		case e.networks:
			d.Networks = c[i].data
		case c[i].data == nil:
			return nil, fmt.Errorf("%s: %w", e.file, os.ErrNotExist)
		default:
			d.Places = c[i].data
		}
	}
	return locate.Load(d, nil)
}
