package netlab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Evict kills all processes in some network namespaces, this one apart, and
// returns when nothing is left there: programs, and children that left their
// parents.
func Evict(namespaces ...uint64) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		left, err := inhabitants(namespaces)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, pid := range left {
			unix.Kill(pid, unix.SIGKILL) // it may be gone already
		}
		<-tick.C
	}
	return errors.New("programs outlive SIGKILL")
}

// inhabitants are the processes in network namespaces, threads of this one
// apart.
func inhabitants(namespaces []uint64) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if n, err := namespace("/proc/" + e.Name() + "/ns/net"); err == nil && slices.Contains(namespaces, n) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// namespace is the number of a namespace, given its file. No other of this
// machine has it while anything is in it.
func namespace(file string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return 0, fmt.Errorf("namespace %s: %w", file, err)
	}
	return st.Ino, nil
}

// Namespaces are the numbers of the hosts' network namespaces, for Evict.
func (l *Lab) Namespaces() []uint64 {
	var out []uint64
	for _, h := range l.hosts {
		out = append(out, h.room.number)
	}
	slices.Sort(out)
	return out
}
