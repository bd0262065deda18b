package join

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// What one side says at the beginning holds for both.
func TestSegmentsAreSmallInBothDirections(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, most := range []int{Segment, NarrowSegment} {
		near, err := Dialer(most)(t.Context(), "tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		for name, c := range map[string]net.Conn{"near": near, "far": far} {
			if got := segment(t, c); got > most || got < most-40 { // options take their share
				t.Errorf("%s sends segments of %d bytes, want %d", name, got, most)
			}
		}
	}
	if _, err := Dialer(1<<20)(t.Context(), "tcp4", l.Addr().String()); err == nil || !strings.Contains(err.Error(), "segments of 1048576 bytes") {
		t.Errorf("no such segments: %v", err)
	}
}

func segment(t *testing.T, c net.Conn) (size int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fault error
	if err := raw.Control(func(fd uintptr) {
		size, fault = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG)
	}); err != nil || fault != nil {
		t.Fatal(err, fault)
	}
	return size
}

// Where large packets vanish, the second try has smaller ones.
func TestSmallerPacketsAreTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		cfg := newMachine(t).config(h, h.invite("nyc1"))
		var said []string
		cfg.Progress = func(s string) { said = append(said, s) }
		cfg.Narrow = cfg.Dial
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			a, b := net.Pipe()
			h.work.Go(func() { io.Copy(io.Discard, b) })
			return a, nil
		}
		if _, err := Join(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(said, "\n"); !strings.HasPrefix(all, "calling the control at ") || !strings.Contains(all, "trying smaller packets") {
			t.Errorf("said:\n%s", all)
		}
		cfg.Narrow = cfg.Dial
		if _, err := Join(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "nothing came back within 10s") || strings.Contains(err.Error(), "does not take servers") {
			t.Errorf("silent to the end: %v", err)
		}
	})
}
