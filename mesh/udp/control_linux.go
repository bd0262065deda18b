package udp

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// control has room for the control messages of one message, of 4 bytes at most
// each: of those sent, TOS and UDP_SEGMENT; of those received, TOS, UDP_GRO
// and SO_RXQ_OVFL. Its type aligns it.
type control [12]uint64

func (c *control) bytes() *[96]byte { return (*[96]byte)(unsafe.Pointer(c)) }

// put appends a control message with 2 or 4 bytes of data to the first n bytes
// of c, and tells how many there are then.
func (c *control) put(n int, level, kind int32, size int, value uint32) int {
	b := c.bytes()[n:]
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(size))
	if data := b[unix.CmsgLen(0):]; size == 2 {
		binary.NativeEndian.PutUint16(data, uint16(value))
	} else {
		binary.NativeEndian.PutUint32(data, value)
	}
	return n + unix.CmsgSpace(size)
}

// marks are what the kernel says beside a message.
type marks struct {
	tos     uint8
	segment int    // length of the datagrams that were joined; 0 for a single one
	lost    uint32 // datagrams dropped so far because the socket was full
}

// parse reads control messages. What is not known is passed over, and what
// comes after a length that cannot be is not read.
func parse(b []byte) (m marks) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
		size := int(h.Len)
		if size < unix.CmsgLen(0) || size > len(b) {
			return m
		}
		m.add(h.Level, h.Type, b[unix.CmsgLen(0):size])
		b = b[min(unix.CmsgSpace(size-unix.CmsgLen(0)), len(b)):]
	}
	return m
}

func (m *marks) add(level, kind int32, data []byte) {
	switch {
	case len(data) == 0:
	case level == unix.IPPROTO_IP && kind == unix.IP_TOS:
		m.tos = data[0] // the only one of a single byte
	case len(data) < 4:
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_TCLASS:
		m.tos = uint8(binary.NativeEndian.Uint32(data))
	case level == unix.IPPROTO_UDP && kind == unix.UDP_GRO:
		m.segment = int(max(0, int32(binary.NativeEndian.Uint32(data))))
	case level == unix.SOL_SOCKET && kind == unix.SO_RXQ_OVFL:
		m.lost = binary.NativeEndian.Uint32(data)
	}
}
