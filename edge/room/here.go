package room

import (
	"bufio"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// Here makes the plan for this process: by its limit of descriptors
// (getrlimit(2)), and by the least of the machine's memory, what its control
// groups allow it, and GOMEMLIMIT. What cannot be found out is no limit.
func Here() Plan {
	files := syscall.Rlimit{Cur: math.MaxUint64}
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)                               // cannot fail where there is such a limit
	return Of(files.Cur, min(Memory(os.DirFS("/")), uint64(debug.SetMemoryLimit(-1)))) // -1 asks
}

// Memory is how many octets of memory a process may use at most, by what the
// kernel writes below root: the machine's, or less where a control group has
// less (cgroups(7), both versions). MaxUint64: it does not say.
func Memory(root fs.FS) uint64 {
	least := machine(root)
	lines(root, "proc/self/cgroup", func(line string) bool {
		_, rest, _ := strings.Cut(line, ":")
		controllers, group, _ := strings.Cut(rest, ":")
		switch {
		case controllers == "":
			least = min(least, along(root, "sys/fs/cgroup", group, "memory.max"), along(root, "sys/fs/cgroup", group, "memory.high"))
		case strings.Contains(","+controllers+",", ",memory,"):
			least = min(least, along(root, "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
		}
		return true
	})
	return least
}

// machine is what all processes have together.
func machine(root fs.FS) uint64 {
	total := uint64(math.MaxUint64)
	lines(root, "proc/meminfo", func(line string) bool {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "MemTotal:" {
			return true
		}
		if kib, err := strconv.ParseUint(f[1], 10, 54); err == nil {
			total = kib << 10
		}
		return false
	})
	return total
}

// along is the least limit on the way from a group up to the root of all.
func along(root fs.FS, mount, group, file string) uint64 {
	least := uint64(math.MaxUint64)
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		if b, err := fs.ReadFile(root, path.Join(mount, at, file)); err == nil {
			if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil { // else "max"
				least = min(least, n)
			}
		}
		if at == "/" {
			return least
		}
	}
}

// lines calls f for the lines of a file until it has enough.
func lines(root fs.FS, name string, f func(string) bool) {
	file, err := root.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	for s := bufio.NewScanner(file); s.Scan() && f(s.Text()); {
	}
}
