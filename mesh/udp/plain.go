package udp

import (
	"net"
	"net/netip"
)

// plain is any net.PacketConn, one datagram at a time.
type plain struct {
	counters
	net.PacketConn
	marked MarkedConn // the same; nil if it has no marks
}

func newPlain(c net.PacketConn) *plain {
	m, _ := c.(MarkedConn)
	return &plain{PacketConn: c, marked: m}
}

func (p *plain) LocalAddr() netip.AddrPort { return addrPort(p.PacketConn.LocalAddr()) }

func (p *plain) Read(bufs [][]byte, sizes []int, from []netip.AddrPort, tos []uint8) (int, error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	for {
		var err error
		p.reads.Add(1)
		if sizes[0], from[0], tos[0], err = p.read(bufs[0]); err == nil {
			p.received.Add(1)
			return 1, nil
		}
		if !aboutEarlier(err) {
			return 0, closedOr("read", err)
		}
		p.refused.Add(1)
	}
}

func (p *plain) read(b []byte) (n int, from netip.AddrPort, tos uint8, err error) {
	if p.marked != nil {
		n, from, tos, err = p.marked.ReadMarked(b)
		return n, unmap(from), tos, err
	}
	n, addr, err := p.ReadFrom(b)
	return n, addrPort(addr), 0, err
}

func (p *plain) Write(bufs [][]byte, to netip.AddrPort, tos uint8) error {
	var f faults
	for _, b := range bufs {
		if f.closed {
			break
		}
		p.writes.Add(1)
		err := p.write(b, to, tos)
		f.add(&p.counters, err, 1)
		if err == nil {
			p.sent.Add(1)
			p.messages.Add(1)
		}
	}
	return f.error(to)
}

func (p *plain) write(b []byte, to netip.AddrPort, tos uint8) (err error) {
	if p.marked != nil {
		_, err = p.marked.WriteMarked(b, to, tos)
	} else {
		_, err = p.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err
}

func (p *plain) Urgent(b []byte, to netip.AddrPort, tos uint8) error {
	return p.Write([][]byte{b}, to, tos)
}

// addrPort is the zero value for what is not an address of UDP.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		return unmap(u.AddrPort())
	}
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return unmap(ap)
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
