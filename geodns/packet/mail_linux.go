package packet

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mail is a Batch as the kernel sees it. All pointers in it lead to itself or
// to answers, so that nothing has to be made for a batch.
type mail struct {
	Batch
	received [Most]message
	sent     [Most]message
	into     [Most]unix.Iovec
	outOf    [Most]unix.Iovec
	names    [Most]unix.RawSockaddrInet6 // long enough for IPv4
	control  [Most]control
	reach    bool // messages tell which address they were sent to
}

// message is the kernel's struct mmsghdr.
type message struct {
	unix.Msghdr
	n uint32
}

// control is one control message, that with the address the datagram was sent
// to: struct cmsghdr, then struct in_pktinfo or in6_pktinfo.
type control [(unix.SizeofCmsghdr + unix.SizeofInet6Pktinfo + 7) &^ 7]byte

func newMail(reach bool) *mail {
	m := &mail{reach: reach}
	for i := range m.received {
		m.into[i].Base = &m.in[i][0]
		m.into[i].SetLen(MaxMessage)
		for _, h := range []*unix.Msghdr{&m.received[i].Msghdr, &m.sent[i].Msghdr} {
			h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
			h.SetIovlen(1)
		}
		m.received[i].Iov, m.sent[i].Iov = &m.into[i], &m.outOf[i]
		if reach {
			m.received[i].Control = &m.control[i][0]
		}
		m.expect(i)
	}
	return m
}

// expect makes room for the next message.
func (m *mail) expect(i int) {
	m.received[i].Namelen = unix.SizeofSockaddrInet6
	if m.reach {
		m.received[i].SetControllen(len(control{}))
	}
}

// receive reads what there is, up to Most messages.
func (m *mail) receive(fd int) (n int, err error) {
	for i := range m.n { // of the last batch; the others are as they were made
		m.expect(i)
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.received[0])), Most, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	m.n = int(r)
	for i := range m.n {
		m.lengths[i] = int(m.received[i].n)
		m.from[i] = addrPort(&m.names[i])
		m.answers[i] = nil
	}
	return m.n, nil
}

// addrPort is the address that the kernel wrote.
func addrPort(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := (*[2]byte)(unsafe.Pointer(&name.Port)) // in network order, IPv4 or not
	var a netip.Addr
	if name.Family == unix.AF_INET {
		a = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr)
	} else {
		a = netip.AddrFrom16(name.Addr).Unmap()
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port[:]))
}

// address makes the answers ready to be sent, and tells how many there are.
func (m *mail) address() (n int) {
	for i, answer := range m.answers[:m.n] {
		if len(answer) == 0 {
			continue
		}
		to, was := &m.sent[n], &m.received[i]
		m.outOf[n].Base = &answer[0]
		m.outOf[n].SetLen(len(answer))
		to.Name, to.Namelen = was.Name, was.Namelen
		if m.reach {
			m.control[i].fromAnywhere()
			to.Control, to.Controllen = was.Control, was.Controllen
		}
		n++
	}
	return n
}

// send sends those of n answers from begin on, and tells how many it has; it
// has sent one at least if there is no error.
func (m *mail) send(fd, begin, n int) (int, error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.sent[begin])), uintptr(n-begin), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// fromAnywhere lets an answer leave by any interface: the way back need not be
// the way here. Only an address that means nothing elsewhere keeps its own.
func (c *control) fromAnywhere() {
	h := (*unix.Cmsghdr)(unsafe.Pointer(c))
	data := unsafe.Pointer(&c[unix.SizeofCmsghdr])
	switch {
	case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO:
		(*unix.Inet4Pktinfo)(data).Ifindex = 0
	case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO:
		if info := (*unix.Inet6Pktinfo)(data); !netip.AddrFrom16(info.Addr).IsLinkLocalUnicast() {
			info.Ifindex = 0
		}
	}
}
