package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"landfall"
)

// How the disk is timed: so many writes, each on the disk before the next, or
// as many as there is time for.
const (
	writes    = 150
	writeSize = 4 << 10
	writeTime = 5 * time.Second
)

// How long a write may take until it is safe, and how much room there must be.
const (
	syncWarn   = 10 * time.Millisecond
	syncFail   = 50 * time.Millisecond
	spaceWarn  = 1 << 30
	spaceFail  = 200 << 20
	inodesWarn = 10000
	inodesFail = 500
)

// disk times the disk of the state directory, and looks how full it is.
func (p *patient) disk(ctx context.Context, n *notes) {
	if p.Dir == "" {
		return
	}
	took, err := timeWrites(ctx, p.Dir)
	if err != nil {
		n.fail("df -h "+p.Dir+"; ls -ld "+p.Dir, "nothing can be written to the state directory: %v", err)
		return
	}
	n.list = append(n.list, judgeWrites(p.Dir, p.self.Has(landfall.RoleOrigin), took)...)
	var fs unix.Statfs_t
	if err := unix.Statfs(p.Dir, &fs); err != nil {
		n.fail("ls -ld "+p.Dir, "the state directory %s: %v", p.Dir, err)
		return
	}
	n.list = append(n.list, judgeSpace(p.Dir, fs.Bavail*uint64(fs.Bsize), fs.Files, fs.Ffree)...)
}

// timeWrites tells how long each of some writes took until it was safe.
func timeWrites(ctx context.Context, dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := bytes.Repeat([]byte{0x5a}, writeSize)
	end := time.Now().Add(writeTime)
	for range writes {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
		if ctx.Err() != nil || time.Now().After(end) {
			break
		}
	}
	return took, nil
}

// judgeWrites matters most where the data is: each message is acknowledged
// after one such write.
func judgeWrites(dir string, origin bool, took []time.Duration) []Finding {
	n := notes{check: "disk"}
	worst, usual := p99(took), slices.Sorted(slices.Values(took))[len(took)/2]
	what := fmt.Sprintf("4 KiB are safe on the disk of %s after %v (p99 of %d writes %v)", dir, usual.Round(10*time.Microsecond), len(took), worst.Round(10*time.Microsecond))
	cure := fmt.Sprintf("move it to an SSD: systemctl stop landfall, copy %s there with cp -a, mount that at %s, systemctl start landfall", dir, dir)
	switch {
	case !origin && worst < syncFail, worst < syncWarn:
		n.ok("%s", what)
	case !origin:
		n.warn(cure, "%s: maps and certificates come late", what)
	case worst < syncFail:
		n.warn(cure, "%s, and every message waits for one such write", what)
	default:
		n.fail(cure, "%s: every message waits for one such write, and so do all behind it", what)
	}
	return n.list
}

func judgeSpace(dir string, free, files, freeFiles uint64) []Finding {
	n := notes{check: "disk"}
	switch {
	case free < spaceFail:
		n.fail("journalctl --vacuum-size=200M; du -xh / | sort -h | tail -20", "%d MiB are left on the disk of %s", free>>20, dir)
	case free < spaceWarn:
		n.warn("journalctl --vacuum-size=200M; du -xh / | sort -h | tail -20", "%d MiB are left on the disk of %s", free>>20, dir)
	default:
		n.ok("%d GiB are left on the disk of %s", free>>30, dir)
	}
	if files == 0 { // such file systems make them as they go
		return n.list
	}
	const cure = "du -x --inodes / | sort -n | tail -20"
	switch {
	case freeFiles < inodesFail:
		n.fail(cure, "the disk of %s has room for %d more files", dir, freeFiles)
	case freeFiles < inodesWarn:
		n.warn(cure, "the disk of %s has room for %d more files", dir, freeFiles)
	}
	return n.list
}
