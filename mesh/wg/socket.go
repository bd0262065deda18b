package wg

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

// batch is how many packets move at once, here and between WireGuard and the
// stack. wireguard-go keeps a buffer of 64 KiB for each, twice.
const batch = 16

// socket reads and writes datagrams, several at a time where it can.
type socket interface {
	// read fills bufs and sets, for each of n datagrams, its size and source.
	read(bufs [][]byte, sizes []int, from []netip.AddrPort) (n int, err error)
	// write sends bufs to one address. It may be called concurrently.
	write(bufs [][]byte, to netip.AddrPort) error
	// urgent sends one datagram without waiting for writes that wait.
	urgent(b []byte, to netip.AddrPort) error
}

func newSocket(c net.PacketConn) socket {
	if u, ok := c.(*net.UDPConn); ok {
		return newUDPSocket(u)
	}
	return plainSocket{c}
}

// plainSocket is any net.PacketConn.
type plainSocket struct{ conn net.PacketConn }

func (s plainSocket) read(bufs [][]byte, sizes []int, from []netip.AddrPort) (int, error) {
	n, addr, err := s.conn.ReadFrom(bufs[0])
	if err != nil {
		return 0, err
	}
	sizes[0], from[0] = n, addrPort(addr)
	return 1, nil
}

func (s plainSocket) write(bufs [][]byte, to netip.AddrPort) error {
	for _, b := range bufs {
		if err := s.urgent(b, to); err != nil {
			return err
		}
	}
	return nil
}

func (s plainSocket) urgent(b []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}

// udpSocket uses recvmmsg and sendmmsg.
type udpSocket struct {
	udp  *net.UDPConn
	conn *ipv4.PacketConn // the same; its batches serve IPv6 sockets just as well
	in   []ipv4.Message   // of the one reader
	out  chan []ipv4.Message
}

func newUDPSocket(c *net.UDPConn) *udpSocket {
	// A burst of a long fat pipe must fit while nobody reads. What waits to be
	// sent is what an urgent datagram has to wait for: 20 ms of 100 Mbit/s.
	// The kernel caps what it grants; less only costs throughput.
	_ = c.SetReadBuffer(4 << 20)
	_ = c.SetWriteBuffer(256 << 10)
	s := &udpSocket{udp: c, conn: ipv4.NewPacketConn(c), in: messages(), out: make(chan []ipv4.Message, 4)}
	for range cap(s.out) {
		s.out <- messages()
	}
	return s
}

func messages() []ipv4.Message {
	m := make([]ipv4.Message, batch)
	for i := range m {
		m[i].Buffers = make([][]byte, 1)
	}
	return m
}

func (s *udpSocket) read(bufs [][]byte, sizes []int, from []netip.AddrPort) (int, error) {
	ms := s.in[:min(len(s.in), len(bufs))]
	for i := range ms {
		ms[i].Buffers[0] = bufs[i]
	}
	n, err := s.conn.ReadBatch(ms, 0)
	for i := range max(n, 0) {
		sizes[i], from[i] = ms[i].N, addrPort(ms[i].Addr)
	}
	return max(n, 0), err
}

func (s *udpSocket) write(bufs [][]byte, to netip.AddrPort) error {
	ms := <-s.out
	defer func() { s.out <- ms }()
	addr := net.UDPAddrFromAddrPort(to)
	for len(bufs) > 0 {
		n := min(len(bufs), len(ms))
		for i := range n {
			ms[i].Buffers[0], ms[i].Addr = bufs[i], addr
		}
		sent, err := s.conn.WriteBatch(ms[:n], 0)
		if err != nil {
			return err
		}
		bufs = bufs[sent:]
	}
	return nil
}

func (s *udpSocket) urgent(b []byte, to netip.AddrPort) error {
	_, err := s.udp.WriteToUDPAddrPort(b, to)
	return err
}

// addrPort is the zero value for what is not an address of UDP.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		ap := u.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return ap
}
