package geofetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"landfall/geodns/locate"
)

// Names in the directory beside those of databases.
const (
	recordFile = "fetched.json"
	lockFile   = ".fetch.lock"
	unfinished = ".new" // what the name of a file ends with that is being written
)

// record is what is remembered of an edition.
type record struct {
	URL          string    `json:"url"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	SHA256       string    `json:"sha256"`  // of the file
	Checked      time.Time `json:"checked"` // when it was last known to be the newest
	locate.Database
}

// copies are the databases of all editions, with their records.
type copies []held

type held struct {
	record record
	data   []byte // nil: there is none
}

// same reports whether both are the same database.
func (h held) same(o held) bool {
	return (h.data == nil) == (o.data == nil) && bytes.Equal(h.data, o.data)
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// folder is the directory, which nobody else writes to now.
type folder struct {
	root *os.Root
	lock *os.File
}

func open(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	lock, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	d := &folder{root, lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.close()
		return nil, fmt.Errorf("%s: somebody else fetches into it now", dir)
	}
	return d, nil
}

func (d *folder) close() {
	d.lock.Close()
	d.root.Close()
}

// current reads what is there. A record counts only for the very file that it
// is about.
func (d *folder) current(editions []edition) (copies, error) {
	records := readRecords(d.root)
	out := make(copies, len(editions))
	for i, e := range editions {
		if err := d.root.Remove(e.file + unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		b, err := d.root.ReadFile(e.file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[i].data = b
		if r := records[e.file]; r.SHA256 == sumOf(b) {
			out[i].record = r
		}
	}
	return out, nil
}

// readRecords reads the records; without them everything is fetched anew.
func readRecords(root *os.Root) map[string]record {
	records := map[string]record{}
	b, err := root.ReadFile(recordFile)
	if err == nil && json.Unmarshal(b, &records) != nil {
		return map[string]record{}
	}
	return records
}

// replace puts new databases into the place of old ones, each at once, and
// remembers where they are from. If it is stopped between the two they are
// fetched once more.
func (d *folder) replace(editions []edition, was, is copies) error {
	records := readRecords(d.root)
	for i, e := range editions {
		if !is[i].same(was[i]) {
			if err := d.write(e.file, is[i].data); err != nil {
				return err
			}
		}
		r := is[i].record
		r.Checked = time.Now().UTC().Truncate(time.Second)
		records[e.file] = r
	}
	b, err := json.MarshalIndent(records, "", "  ")
	if err != nil {
		return err
	}
	return d.write(recordFile, append(b, '\n'))
}

// write makes a file appear whole or not at all, whenever the machine stops.
func (d *folder) write(name string, b []byte) error {
	f, err := d.root.OpenFile(name+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = d.root.Rename(name+unfinished, name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(d.root.Name(), name), errors.Join(err, d.root.Remove(name+unfinished)))
	}
	dir, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// checked is when all files were last known to be the newest; the zero Time
// if they are not all there.
func (f *Fetcher) checked() time.Time {
	root, err := os.OpenRoot(f.cfg.Dir)
	if err != nil {
		return time.Time{}
	}
	defer root.Close()
	records, first := readRecords(root), time.Time{}
	for i, e := range f.editions {
		r, ok := records[e.file]
		if _, err := root.Stat(e.file); err != nil || !ok {
			return time.Time{}
		}
		if i == 0 || r.Checked.Before(first) {
			first = r.Checked
		}
	}
	f.mu.Lock()
	f.last = first
	f.mu.Unlock()
	return first
}
