package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Batch is how many datagrams move in one call at most: a Conn reads no more
// at once, and divides longer writes.
const Batch = 128

// ErrTooBig is a datagram larger than the first hop carries. It is EMSGSIZE,
// too.
var ErrTooBig = fmt.Errorf("datagram larger than the first hop carries: %w", syscall.EMSGSIZE)

// Conn is a socket of the mesh.
type Conn interface {
	// Read fills bufs, and sets for each of n datagrams its size, its source
	// and the TOS byte that it arrived with (RFC 2474, 3; RFC 3168, 5); sizes, from
	// and tos are as long as bufs. It waits for the first and for no more. One
	// goroutine reads. Buffers of 65535 bytes save a copy; a datagram longer
	// than its buffer is dropped and counted. Sources are unmapped: IPv4
	// addresses for IPv4 datagrams, whatever the socket. ICMP's word about
	// earlier datagrams is no error, only counted. Once the Conn is closed,
	// the error is net.ErrClosed.
	Read(bufs [][]byte, sizes []int, from []netip.AddrPort, tos []uint8) (n int, err error)
	// Write sends bufs in their order to one address, all under one TOS byte
	// (DSCP<<2|ECN); it waits while the socket is full, and is done with bufs
	// when it returns. Many goroutines may write. A datagram that cannot be
	// sent does not keep the others back; the error tells of the first, and is
	// ErrTooBig if any was too big.
	Write(bufs [][]byte, to netip.AddrPort, tos uint8) error
	// Urgent sends one datagram like Write, but not behind Writes that wait.
	Urgent(b []byte, to netip.AddrPort, tos uint8) error
	// LocalAddr is where the socket is bound.
	LocalAddr() netip.AddrPort
	// Stats are numbers since the beginning. They may be asked for at any time.
	Stats() Stats
	// Close ends the socket, and every call that waits with net.ErrClosed.
	Close() error
}

// MarkedConn is a net.PacketConn whose datagrams bear TOS bytes.
type MarkedConn interface {
	// WriteMarked is WriteTo under a TOS byte.
	WriteMarked(b []byte, to netip.AddrPort, tos uint8) (int, error)
	// ReadMarked is ReadFrom with the TOS byte.
	ReadMarked(b []byte) (n int, from netip.AddrPort, tos uint8, err error)
}

// New takes over c, which is bound and not connected: nobody else reads from
// it, and closing the Conn closes it. The error says which option the system
// does not let a socket have.
func New(c net.PacketConn) (Conn, error) {
	if c == nil {
		return nil, errors.New("socket of the mesh: there is none")
	}
	if u, ok := c.(*net.UDPConn); ok {
		return open(u)
	}
	return newPlain(c), nil
}
