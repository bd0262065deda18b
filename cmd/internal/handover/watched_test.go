package handover

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A poller that watches a socket is told of every datagram, at the cost of half
// an answer.
func TestDatagramsThatAreHeldAreNotWatched(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Hold("dns", conn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.File.Close()
	if n := watchers(t, s.File); n != 1 {
		t.Errorf("%d watch it while package net has it, want 1", n)
	}
	conn.Close()
	if n := watchers(t, s.File); n != 0 {
		t.Errorf("%d watch it, want 0", n)
	}
	conns, err := Sockets{s}.Packets("dns")
	if err != nil {
		t.Fatal(err)
	}
	defer conns[0].Close()
	if n := watchers(t, s.File); n != 1 {
		t.Errorf("%d watch it when it is open again, want 1", n)
	}
}

// watchers is how often pollers of this process have a socket.
func watchers(t *testing.T, f *os.File) (n int) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
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
		n += strings.Count(string(info), fmt.Sprintf("ino:%x ", st.Ino))
	}
	return n
}
