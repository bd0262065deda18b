package handover

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// pair is two processes in one.
func pair(t *testing.T) (ours, theirs link) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out [2]link
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		out[i] = link{conn.(*net.UnixConn)}
	}
	return out[0], out[1]
}

// rightsOf is a control message with a descriptor.
func rightsOf(t *testing.T) []byte {
	t.Helper()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return unix.UnixRights(int(file.Fd()))
}

func shut(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}
