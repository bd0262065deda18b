package udp

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// name is an address as the kernel writes it, IPv6 or IPv4.
type name unix.RawSockaddrInet6

func (n *name) four() *unix.RawSockaddrInet4 {
	return (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
}

func (n *name) port() *[2]byte { return (*[2]byte)(unsafe.Pointer(&n.Port)) } // of either, in network order

// addrPort is the address without its zone.
func (n *name) addrPort() netip.AddrPort {
	var a netip.Addr
	switch n.Family {
	case unix.AF_INET:
		a = netip.AddrFrom4(n.four().Addr)
	case unix.AF_INET6:
		a = netip.AddrFrom16(n.Addr).Unmap()
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(n.port()[:]))
}

// set writes an address for a socket, of IPv6 or not, and tells how long it
// is; 0 says that such a socket has no such addresses.
func (n *name) set(a netip.AddrPort, six bool) (length uint32) {
	*n = name{}
	switch addr := a.Addr(); {
	case six && addr.IsValid():
		n.Family, n.Addr = unix.AF_INET6, addr.As16()
		length = unix.SizeofSockaddrInet6
	case addr.Unmap().Is4():
		n.Family, n.four().Addr = unix.AF_INET, addr.Unmap().As4()
		length = unix.SizeofSockaddrInet4
	default:
		return 0
	}
	binary.BigEndian.PutUint16(n.port()[:], a.Port())
	return length
}

// zone is the name of an interface, its number where it has no name any more.
func (s *socket) zone(index uint32) (zone string) {
	zone = strconv.FormatUint(uint64(index), 10)
	_ = s.raw.Control(func(fd uintptr) {
		if r, err := unix.NewIfreq(""); err == nil {
			r.SetUint32(index)
			if unix.IoctlIfreq(int(fd), unix.SIOCGIFNAME, r) == nil {
				zone = r.Name()
			}
		}
	})
	return zone
}

// index is the number of an interface, 0 if there is no such interface. It is
// asked each time: numbers change when interfaces come and go.
func (s *socket) index(zone string) (index uint32) {
	_ = s.raw.Control(func(fd uintptr) {
		if r, err := unix.NewIfreq(zone); err == nil && unix.IoctlIfreq(int(fd), unix.SIOCGIFINDEX, r) == nil {
			index = r.Uint32()
		}
	})
	if index == 0 {
		n, _ := strconv.ParseUint(zone, 10, 32)
		index = uint32(n)
	}
	return index
}
