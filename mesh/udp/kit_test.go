package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
)

// bind makes a Conn on an address.
func bind(t testing.TB, addr string) Conn {
	t.Helper()
	c, err := New(listen(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func listen(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// at is where a Conn is reached by a family of addresses.
func at(c Conn, ip string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), c.LocalAddr().Port())
}

var somewhere = netip.MustParseAddrPort("127.0.0.1:9")

// made makes datagrams that differ.
func made(sizes []int) (bufs [][]byte) {
	for i, n := range sizes {
		b := make([]byte, n)
		copy(b, fmt.Sprint(i))
		bufs = append(bufs, b)
	}
	return bufs
}

// mailbox is what one caller of Read needs.
type mailbox struct {
	bufs  [][]byte
	sizes []int
	from  []netip.AddrPort
	tos   []uint8
}

func newMailbox(n, size int) *mailbox {
	m := &mailbox{bufs: make([][]byte, n), sizes: make([]int, n), from: make([]netip.AddrPort, n), tos: make([]uint8, n)}
	all := make([]byte, n*size)
	for i := range n {
		m.bufs[i] = all[i*size : (i+1)*size : (i+1)*size]
	}
	return m
}

func (m *mailbox) read(c Conn) (int, error) { return c.Read(m.bufs, m.sizes, m.from, m.tos) }

// datagram is one as it was read.
type datagram struct {
	data string
	from netip.AddrPort
	tos  uint8
}

// hear reads n datagrams.
func hear(t testing.TB, c Conn, n int) (out []datagram) {
	t.Helper()
	m := newMailbox(Batch, bigBuffer)
	for len(out) < n {
		k, err := m.read(c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range k {
			out = append(out, datagram{string(m.bufs[i][:m.sizes[i]]), m.from[i], m.tos[i]})
		}
	}
	return out
}

// flow makes datagrams that tell their place and prove that they are whole.
type flow struct {
	noise []byte
	next  uint32
}

const head = 8

func newFlow(seed uint64) *flow {
	r := rand.NewChaCha8([32]byte{byte(seed)})
	noise := make([]byte, 1<<17)
	_, _ = r.Read(noise)
	return &flow{noise: noise}
}

// body is what datagram n of a length holds after its head.
func (f *flow) body(n uint32, length int) []byte {
	return f.noise[n%(1<<15):][:length-head]
}

// write makes the next datagram in b.
func (f *flow) write(id uint32, b []byte) {
	binary.BigEndian.PutUint32(b, id)
	binary.BigEndian.PutUint32(b[4:], f.next)
	copy(b[head:], f.body(f.next, len(b)))
	f.next++
}

// check reports whether b is the next datagram.
func (f *flow) check(b []byte) bool {
	ok := len(b) >= head && binary.BigEndian.Uint32(b[4:]) == f.next && slices.Equal(b[head:], f.body(f.next, len(b)))
	f.next++
	return ok
}

// lengths are those of datagrams as they come: runs of one, a shorter last, and none alike.
func lengths(r *rand.Rand, n int) []int {
	out := make([]int, 0, n)
	for len(out) < n {
		size := head + r.IntN(1400)
		for range min(1+r.IntN(1+r.IntN(90)), n-len(out)) {
			out = append(out, size)
		}
		if len(out) < n && r.IntN(2) == 0 {
			out = append(out, head+r.IntN(size-head+1))
		}
	}
	return out
}

func wantClosed(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want net.ErrClosed", err)
	}
}
