package packet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel tells nobody but the loop of messages.
func TestSocketIsNotWatchedByGo(t *testing.T) {
	conn := listen(t, "127.0.0.1:0")
	socket, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := socket.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) }); err != nil {
		t.Fatal(err)
	}
	if n := watchers(t, st.Ino); err != nil || n != 1 {
		t.Fatalf("%d watch it before (%v), want 1", n, err)
	}
	run(t, conn, shout)
	if got := exchange(t, dial(t, conn.LocalAddr()), "a"); got != "A" {
		t.Fatalf("got %q", got)
	}
	if n := watchers(t, st.Ino); n != 0 {
		t.Errorf("%d watch it, want 0", n)
	}
}

// watchers is how often pollers of this process have a file.
func watchers(t *testing.T, inode uint64) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if to, _ := os.Readlink(l); to != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile(strings.Replace(l, "/fd/", "/fdinfo/", 1))
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(info), fmt.Sprintf("ino:%x ", inode))
	}
	return n
}
