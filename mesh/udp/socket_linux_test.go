package udp

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// option is what an option of a socket is set to.
func option(t testing.TB, c syscall.Conn, level, name int) (v int) {
	t.Helper()
	onSocket(t, c, func(fd int) (err error) { v, err = unix.GetsockoptInt(fd, level, name); return err })
	return v
}

func setOption(t testing.TB, c syscall.Conn, level, name, v int) {
	t.Helper()
	onSocket(t, c, func(fd int) error { return unix.SetsockoptInt(fd, level, name, v) })
}

func onSocket(t testing.TB, c syscall.Conn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { err = f(int(fd)) }), err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestDatagramsAreNeverCutOnTheirWay(t *testing.T) {
	for _, listens := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		c := bind(t, listens).(*socket)
		if got := option(t, c.udp, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER); got != unix.IP_PMTUDISC_PROBE {
			t.Errorf("%s: IP_MTU_DISCOVER is %d", listens, got)
		}
		if !c.six {
			continue
		}
		if got := option(t, c.udp, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER); got != unix.IPV6_PMTUDISC_PROBE {
			t.Errorf("%s: IPV6_MTU_DISCOVER is %d", listens, got)
		}
	}
}

// The codepoint that is asked for is the one that others see, of IPv4 by
// IPv6 sockets, too, whatever the socket was told before.
func TestCodepointsArrive(t *testing.T) {
	for _, way := range ways[:4] {
		far, near := listen(t, way.listens), listen(t, way.sends)
		level, kind, ask := unix.IPPROTO_IP, unix.IP_TOS, unix.IP_RECVTOS
		if far.LocalAddr().(*net.UDPAddr).IP.To4() == nil {
			level, kind, ask = unix.IPPROTO_IPV6, unix.IPV6_TCLASS, unix.IPV6_RECVTCLASS
		}
		setOption(t, far, level, ask, 1)
		setOption(t, near, level, kind, 0x20)
		s, err := New(near)
		if err != nil {
			t.Fatal(err)
		}
		to := far.LocalAddr().(*net.UDPAddr).AddrPort()
		for _, tos := range []uint8{0, 34<<2 | 1, 1 << 2, 48 << 2, 0xff} {
			if err := errors.Join(s.Write([][]byte{{1, 2}, {3, 4}, {5}}, to, tos), s.Urgent([]byte{6}, to, tos)); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				if got := readTOS(t, far); got != tos {
					t.Errorf("%s: %#x arrives as %#x", way.name, tos, got)
				}
			}
		}
	}
}

// readTOS reads a datagram for its TOS byte.
func readTOS(t *testing.T, c *net.UDPConn) uint8 {
	t.Helper()
	oob := make([]byte, 128)
	_, n, _, _, err := c.ReadMsgUDPAddrPort(make([]byte, 100), oob)
	if err != nil {
		t.Fatal(err)
	}
	all, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(all) != 1 {
		t.Fatalf("%d control messages, %v", len(all), err)
	}
	return all[0].Data[0]
}

// A socket that is told of every error loses nothing else by them.
func TestNewsOfEarlierDatagramsIsNoError(t *testing.T) {
	for _, way := range ways[:4] {
		far, gone := bind(t, way.listens), bind(t, way.listens)
		to := at(gone, way.to)
		gone.Close()
		u := listen(t, way.sends)
		if setOption(t, u, unix.IPPROTO_IP, unix.IP_RECVERR, 1); way.to == "::1" {
			setOption(t, u, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		}
		s, err := New(u)
		if err != nil {
			t.Fatal(err)
		}
		bufs := made(repeat(20, 50))
		for range 10 {
			if err := s.Write(bufs[:1], to, 0); err != nil {
				t.Errorf("%s: %v", way.name, err)
			}
			if err := s.Write(bufs, at(far, way.to), 0); err != nil {
				t.Errorf("%s: %v", way.name, err)
			}
			for i, d := range hear(t, far, len(bufs)) {
				if d.data != string(bufs[i]) {
					t.Fatalf("%s: datagram %d is %q", way.name, i, d.data)
				}
			}
			if err := s.Write(bufs[:1], to, 0); err != nil {
				t.Errorf("%s: %v", way.name, err)
			}
			if err := far.Write(bufs[:2], at(s, way.to), 0); err != nil {
				t.Errorf("%s: %v", way.name, err)
			}
			hear(t, s, 2)
		}
		if st := s.Stats(); st.Refused < 10 || st.Unsent != 0 || st.Sent != 520 || st.Received != 20 {
			t.Errorf("%s: %+v", way.name, st)
		}
	}
}

// What a socket has no room for is counted by the kernel.
func TestOverflowIsTold(t *testing.T) {
	c, s := bind(t, "127.0.0.1:0").(*socket), bind(t, "127.0.0.1:0")
	setOption(t, c.udp, unix.SOL_SOCKET, unix.SO_RCVBUF, 20000)
	var sizes []int // never a run
	for i := range 100 {
		sizes = append(sizes, 1000+i)
	}
	bufs := made(sizes)
	if err := s.Write(bufs, c.LocalAddr(), 0); err != nil {
		t.Fatal(err)
	}
	n := len(hear(t, c, 1))
	if err := s.Write(bufs[:1], c.LocalAddr(), 0); err != nil {
		t.Fatal(err)
	}
	n += len(hear(t, c, 1)) - 1
	if st := c.Stats(); n >= 100 || st.Overflowed != uint64(100-n) {
		t.Errorf("read %d of 100: %+v", n, st)
	}
}
