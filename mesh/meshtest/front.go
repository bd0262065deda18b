package meshtest

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"

	"landfall"
	"landfall/mesh/class"
)

// frontQueue is how many packets a Front holds that nobody has taken; more
// are dropped.
const frontQueue = 4096

// Front is the side of a front that carries packets, without a TCP: a test
// sends packets and is handed those that arrive. It works in bubbles, where
// gVisor's stack does not.
type Front struct {
	arrived func(p []byte)
	out     chan []byte
	over    chan struct{}
	once    sync.Once
}

// NewFront makes one that calls arrived for each packet; it must return soon
// and not keep p.
func NewFront(arrived func(p []byte)) *Front {
	return &Front{arrived: arrived, out: make(chan []byte, frontQueue), over: make(chan struct{})}
}

// Send gives the mesh a packet; false if there is no room.
func (f *Front) Send(p []byte) bool {
	select {
	case f.out <- p:
		return true
	default:
		return false
	}
}

// Read implements front.Packets.
func (f *Front) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	select {
	case <-f.over:
		return 0, os.ErrClosed
	case p := <-f.out:
		sizes[0] = copy(bufs[0][offset:], p)
	}
	for n = 1; n < len(bufs); n++ {
		select {
		case p := <-f.out:
			sizes[n] = copy(bufs[n][offset:], p)
		default:
			return n, nil
		}
	}
	return n, nil
}

// Write implements front.Packets.
func (f *Front) Write(bufs [][]byte, offset int) (int, error) {
	for _, b := range bufs {
		f.arrived(b[offset:])
	}
	return len(bufs), nil
}

// BatchSize implements front.Packets.
func (f *Front) BatchSize() int { return 64 }

// Close implements front.Packets.
func (f *Front) Close() error {
	f.once.Do(func() { close(f.over) })
	return nil
}

// IPv6 and UDP headers, as Packet writes them.
const (
	ipHeader  = 40
	udpHeader = 8
	udp       = 17
	hopLimit  = 64
)

// Packet is a UDP datagram in IPv6 between two addresses of the mesh, in the
// class given, with the body behind its headers. Its checksum says nothing.
func Packet(from, to netip.Addr, c landfall.Class, body []byte) []byte {
	p := make([]byte, ipHeader+udpHeader, ipHeader+udpHeader+len(body))
	binary.BigEndian.PutUint32(p, 6<<28|uint32(class.DSCP(c))<<22)
	binary.BigEndian.PutUint16(p[4:], uint16(udpHeader+len(body)))
	p[6], p[7] = udp, hopLimit
	src, dst := from.As16(), to.As16()
	copy(p[8:], src[:])
	copy(p[24:], dst[:])
	binary.BigEndian.PutUint16(p[44:], uint16(udpHeader+len(body)))
	return append(p, body...)
}

// Body is what Packet was given; false for what it has not made.
func Body(p []byte) (body []byte, ok bool) {
	if len(p) < ipHeader+udpHeader || p[0]>>4 != 6 || p[6] != udp {
		return nil, false
	}
	return p[ipHeader+udpHeader:], true
}
