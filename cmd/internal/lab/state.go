package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/netlab"
)

// The files by which a directory is known as a lab's. The first is locked as
// long as the lab runs, the second says where its hosts are meanwhile.
const (
	lockFile    = "lab.lock"
	runningFile = "running.json"
)

// state is the directory of a lab that runs.
type state struct {
	dir  string
	lock *os.File
}

// living is what the second file holds.
type living struct {
	PID   int                    `json:"pid"`
	Hosts map[string]netlab.Door `json:"hosts"`
}

// occupy takes a directory for a lab, and removes what an earlier one left
// there: no other files, and none from a directory that is not a lab's.
func occupy(dir string, l config.Lab) (*state, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := ours(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("a lab runs in %s: give another --dir, or end that one", dir)
	}
	s := &state{dir: dir, lock: f}
	old := []string{"log", runningFile, controlFile}
	if l.Report.File != "" {
		old = append(old, l.Report.File)
	}
	for _, h := range l.Hosts {
		old = append(old, h.Name)
	}
	for _, name := range old {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			s.leave()
			return nil, err
		}
	}
	return s, nil
}

// ours reports, as an error, that a directory holds other files than a lab's.
func ours(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err != nil {
		return fmt.Errorf("%s has files that are no lab's: give another --dir", dir)
	}
	return nil
}

// tell writes down where the hosts are.
func (s *state) tell(l *netlab.Lab) error {
	b, err := json.MarshalIndent(living{os.Getpid(), l.Doors()}, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, runningFile)
	if err := os.WriteFile(file+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// leave gives the directory back. Its lock file stays: it says that the files
// beside it may be removed.
func (s *state) leave() {
	os.Remove(filepath.Join(s.dir, controlFile))
	os.Remove(filepath.Join(s.dir, runningFile)) // unlocked, it is believed by nobody
	s.lock.Close()
}

// Enter makes the calling process one of those on a host of the lab that runs
// in a directory: the program with its arguments, or a shell. It returns only
// if that fails.
func Enter(dir, host string, args []string) error {
	l, err := running(dir)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("a lab's hosts are root's: try sudo")
	}
	door, ok := l.Hosts[host]
	if !ok {
		return fmt.Errorf("the lab in %s has no host %q", dir, host)
	}
	return door.Exec(args)
}

// running is the lab that runs in a directory.
func running(dir string) (l living, err error) {
	none := fmt.Errorf("no lab runs in %s: start one with landfall lab --file FILE --keep", dir)
	f, err := os.Open(filepath.Join(dir, lockFile))
	if errors.Is(err, os.ErrNotExist) {
		return l, none
	}
	if err != nil {
		return l, err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return l, none
	}
	b, err := os.ReadFile(filepath.Join(dir, runningFile))
	if errors.Is(err, os.ErrNotExist) {
		return l, fmt.Errorf("the lab in %s is not built yet", dir)
	}
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("%s: %w", filepath.Join(dir, runningFile), err)
	}
	return l, nil
}
