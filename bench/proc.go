package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a process holds, in bytes.
type usage struct {
	rss int64 // resident
	pss int64 // the same with shared pages divided among those who share them
}

// memory reads what the kernel knows of a process (proc(5)).
func memory(pid int) (usage, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return usage{}, err
	}
	var u usage
	if u.rss, err = kilobytes(status, "VmRSS:"); err != nil {
		return usage{}, fmt.Errorf("/proc/%d/status: %w", pid, err)
	}
	if u.pss, err = kilobytes(rollup, "Pss:"); err != nil {
		return usage{}, fmt.Errorf("/proc/%d/smaps_rollup: %w", pid, err)
	}
	return u, nil
}

// kilobytes finds a line such as "VmRSS:   1234 kB" and gives bytes.
func kilobytes(b []byte, key string) (int64, error) {
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) == 3 && f[0] == key && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no %s", key)
}

// busy is how long this process has had a processor for: on a busy machine
// the clock tells more of others.
func busy() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machine says where the figures were measured: they are worth nothing
// elsewhere.
func machine(root string) string {
	parts := []string{fmt.Sprintf("%d × %s", runtime.NumCPU(), cpu()), runtime.GOOS + "/" + runtime.GOARCH, runtime.Version()}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts = append(parts, "Linux "+strings.TrimSpace(string(b)))
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		parts = append(parts, "load "+strings.Join(strings.Fields(string(b))[:3], " "))
	}
	if b, err := exec.Command("git", "-C", root, "describe", "--always", "--dirty").Output(); err == nil {
		parts = append(parts, "commit "+strings.TrimSpace(string(b)))
	}
	return strings.Join(parts, ", ")
}

func cpu() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
