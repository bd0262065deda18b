package packet

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// listen opens one socket on an address.
func listen(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	conns, err := Listen(t.Context(), netip.MustParseAddrPort(addr), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conns[0].Close() })
	return conns[0]
}

// run runs a loop until stop is called, or the test ends.
func run(t testing.TB, conn *net.UDPConn, handler func(*Batch)) (stop func()) {
	t.Helper()
	l, err := New(Config{Conn: conn, Handler: handler, Failed: func(deed string, err error) { t.Errorf("%s: %v", deed, err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// shout answers with what came, in capitals, and says nothing to "hush".
func shout(b *Batch) {
	for i := range b.Len() {
		if msg := string(b.Message(i)); msg != "hush" {
			b.Answer(i, append(b.Room(i), strings.ToUpper(msg)...))
		}
	}
}

// echo answers with what came.
func echo(b *Batch) {
	for i := range b.Len() {
		b.Answer(i, append(b.Room(i), b.Message(i)...))
	}
}

// dial opens a socket that only hears from one address.
func dial(t testing.TB, to net.Addr) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, to.(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exchange sends a message and waits for the answer; empty is silence.
func exchange(t testing.TB, c *net.UDPConn, msg string) string {
	t.Helper()
	if _, err := c.Write([]byte(msg)); err != nil {
		t.Fatal(err)
	}
	return hear(t, c, 10*time.Second)
}

func hear(t testing.TB, c *net.UDPConn, patience time.Duration) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestEveryClientHearsItsOwnAnswer(t *testing.T) {
	conn := listen(t, "127.0.0.1:0")
	run(t, conn, shout)
	var clients []*net.UDPConn
	for range 3 * Most {
		c := dial(t, conn.LocalAddr())
		if _, err := c.Write([]byte(c.LocalAddr().String() + "a")); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	for _, c := range clients {
		if got, want := hear(t, c, 10*time.Second), c.LocalAddr().String()+"A"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Those who get no answer do not shift those of others.
func TestSilenceIsOneMessages(t *testing.T) {
	conn := listen(t, "[::1]:0")
	c := dial(t, conn.LocalAddr())
	for i := range 40 {
		msg := "hush"
		if i%3 == 0 {
			msg = string(rune('a' + i))
		}
		if _, err := c.Write([]byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, conn, shout)
	for i := 0; i < 40; i += 3 {
		if got, want := hear(t, c, 10*time.Second), strings.ToUpper(string(rune('a'+i))); got != want {
			t.Fatalf("answer %d is %q, want %q", i, got, want)
		}
	}
}

func TestHandlerIsToldWhoAsks(t *testing.T) {
	for _, listens := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		conn := listen(t, listens)
		run(t, conn, func(b *Batch) {
			for i := range b.Len() {
				b.Answer(i, b.From(i).AppendTo(b.Room(i)))
			}
		})
		at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
		if at.Addr().IsUnspecified() { // an IPv4 client of an IPv6 socket
			at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
		}
		c := dial(t, net.UDPAddrFromAddrPort(at))
		if got, want := exchange(t, c, "who"), c.LocalAddr().String(); got != want {
			t.Errorf("%s: got %q, want %q", listens, got, want)
		}
	}
}

// A client hears from the address that it asked, and from no other.
func TestAnswerComesFromWhereItWasAsked(t *testing.T) {
	for _, tt := range []struct{ listens, asked string }{
		{"0.0.0.0:0", "127.0.0.1"}, {"0.0.0.0:0", "127.9.8.7"},
		{"[::]:0", "127.0.0.1"}, {"[::]:0", "127.9.8.7"}, {"[::]:0", "::1"},
	} {
		conn := listen(t, tt.listens)
		run(t, conn, shout)
		port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		c := dial(t, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tt.asked), port)))
		if got := exchange(t, c, "hello"); got != "HELLO" {
			t.Errorf("%s asked at %s: %q", tt.listens, tt.asked, got)
		}
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	conn := listen(t, "127.0.0.1:0")
	run(t, conn, func(b *Batch) {
		for i := range b.Len() {
			b.Answer(i, binary.BigEndian.AppendUint32(b.Room(i), uint32(len(b.Message(i)))))
		}
	})
	c := dial(t, conn.LocalAddr())
	for size, want := range map[int]uint32{1: 1, MaxMessage: MaxMessage, MaxMessage + 1: MaxMessage, 60000: MaxMessage} {
		if got := exchange(t, c, strings.Repeat("x", size)); got != string(binary.BigEndian.AppendUint32(nil, want)) {
			t.Errorf("of %d bytes, %x were read", size, got)
		}
	}
}

func TestAnswerLongerThanTheRoom(t *testing.T) {
	conn := listen(t, "127.0.0.1:0")
	run(t, conn, func(b *Batch) {
		for i := range b.Len() {
			b.Answer(i, append(b.Room(i), strings.Repeat("y", 4000)...))
		}
	})
	if got := exchange(t, dial(t, conn.LocalAddr()), "long"); got != strings.Repeat("y", 4000) {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestSocketsShareAnAddress(t *testing.T) {
	conns, err := Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), 4)
	if err != nil {
		t.Fatal(err)
	}
	if divides && len(conns) != 4 {
		t.Fatalf("%d sockets", len(conns))
	}
	for _, c := range conns {
		if got, want := c.LocalAddr().String(), conns[0].LocalAddr().String(); got != want {
			t.Errorf("%s beside %s", got, want)
		}
		run(t, c, shout)
	}
	for range 50 {
		if got := exchange(t, dial(t, conns[0].LocalAddr()), "a"); got != "A" {
			t.Fatalf("got %q", got)
		}
	}
}

// What was read is answered, what was not stays for whoever comes next: here
// one loop after the other, while there is always something on its way.
func TestNothingIsLostWhenAnotherTakesOver(t *testing.T) {
	first := listen(t, "127.0.0.1:0")
	held, err := first.File()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	const n = 2000
	c, window := dial(t, first.LocalAddr()), make(chan struct{}, 100)
	go func() {
		for i := range uint32(n) {
			window <- struct{}{}
			if _, err := c.Write(binary.BigEndian.AppendUint32(nil, i)); err != nil {
				t.Error(err)
			}
		}
	}()
	stop, seen := run(t, first, echo), make([]int, n)
	for i := range n {
		if i%50 == 25 {
			stop()
			stop = run(t, again(t, held), echo)
		}
		got := hear(t, c, 10*time.Second)
		if len(got) != 4 {
			t.Fatalf("got %q", got)
		}
		seen[binary.BigEndian.Uint32([]byte(got))]++
		<-window
	}
	if i := slices.IndexFunc(seen, func(k int) bool { return k != 1 }); i >= 0 {
		t.Errorf("message %d was answered %d times", i, seen[i])
	}
}

// again is a socket that somebody holds, for another loop.
func again(t *testing.T, held *os.File) *net.UDPConn {
	t.Helper()
	conn, err := net.FilePacketConn(held)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.UDPConn)
}

func TestLoopWithoutSocketIsRefused(t *testing.T) {
	if _, err := New(Config{Handler: shout}); err == nil {
		t.Error("no socket: no error")
	}
	if _, err := New(Config{Conn: new(net.UDPConn)}); err == nil {
		t.Error("no handler: no error")
	}
}

// Nobody comes to share an address by accident.
func TestAddressInUseIsReported(t *testing.T) {
	for _, n := range []int{1, 3} {
		conns, err := Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), n)
		if err != nil {
			t.Fatal(err)
		}
		at := conns[0].LocalAddr().(*net.UDPAddr).AddrPort()
		for _, beside := range []int{1, 2} {
			if got, err := Listen(t.Context(), at, beside); err == nil {
				t.Errorf("%d sockets beside %d: %v", beside, n, got)
			}
		}
		if err := closeAll(conns); err != nil {
			t.Error(err)
		}
		more, err := Listen(t.Context(), at, n)
		if err != nil {
			t.Errorf("once it is free: %v", err)
		}
		closeAll(more)
	}
}
