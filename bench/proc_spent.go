package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// jiffy is the unit that the kernel counts processor time in (USER_HZ, time(7)).
const jiffy = 10 * time.Millisecond

// spent is the processor time, in the kernel and outside it, of a process and
// of all that it started (proc(5)).
func spent(pid int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	own, parent := map[int]time.Duration{}, map[int]int{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return 0, err
		}
		// The name before the bracket may hold anything, brackets as well.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if parent[id], err = strconv.Atoi(f[1]); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		if own[id], err = ticks(f[11:15]); err != nil { // with children that have ended
			return 0, fmt.Errorf("%s: %w", file, err)
		}
	}
	if _, ok := own[pid]; !ok {
		return 0, fmt.Errorf("there is no process %d", pid)
	}
	var sum time.Duration
	for id, t := range own {
		for up := id; up > 0; up = parent[up] {
			if up == pid {
				sum += t
				break
			}
		}
	}
	return sum, nil
}

// used is the processor time of the whole machine.
func used() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq …
	if len(f) < 8 {
		return 0, fmt.Errorf("/proc/stat: %q", line)
	}
	return ticks(append(f[1:4:4], f[6:8]...))
}

func ticks(fields []string) (sum time.Duration, err error) {
	for _, s := range fields {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * jiffy
	}
	return sum, nil
}
