package mesh

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// A knock is repeated, for the kernel takes a device in use when it pleases,
// and given up after so long.
const (
	knockEvery = 50 * time.Millisecond
	knockTime  = 2 * time.Second
)

// errUnheard is a firewall in the way.
var errUnheard = errors.New("what comes from the mesh does not reach this machine: a firewall drops it")

// Sizes and flags of a knock (RFC 8200, 3; RFC 9293, 3.1).
const (
	ipHeader  = 40
	tcpHeader = 20
	tcp       = 6
	flagSYN   = 0x02
	flagRST   = 0x04
	flagACK   = 0x10

	knockRoom = 16 // before a packet, the front's to use
	knockMax  = 65535
)

// knock finds out whether streams of peers would get in through a front: a
// firewall of the machine may drop all that comes by a device that it does
// not know. It opens a port as services do, and tries it as nobody's
// neighbour. It reads the front, which nobody else does yet, and closes it
// where there is an error.
func knock(f front.Front, addr netip.Addr, patience time.Duration) error {
	answered := make(chan error, 1)
	go func() { answered <- listenFor(f, addr) }()
	err := knockOn(f, addr, patience, answered)
	if err != nil {
		err = errors.Join(err, f.Close())
		<-answered
	}
	return err
}

func knockOn(f front.Front, addr netip.Addr, patience time.Duration, answered chan error) error {
	if err := f.Listen(firstPort, func(s front.Stream) { s.Abort(errUnheard) }); err != nil {
		return err
	}
	defer f.Unlisten(firstPort)
	tick := time.NewTicker(knockEvery)
	defer tick.Stop()
	for range patience / knockEvery {
		if err := send(f, addr, firstPort, flagSYN); err != nil {
			return err
		}
		select {
		case err := <-answered:
			answered <- nil // it has ended
			return errors.Join(err, send(f, addr, firstPort, flagRST))
		case <-tick.C:
		}
	}
	return errUnheard
}

// knocker is an address of the mesh: that a node has it, too, is as unlikely as
// that two nodes have the same.
func knocker() netip.Addr { return landfall.MeshPrefix().Addr().Next() }

// listenFor reads until the port says that it is open.
func listenFor(f front.Front, addr netip.Addr) error {
	bufs := make([][]byte, f.BatchSize())
	for i := range bufs {
		bufs[i] = make([]byte, knockRoom+knockMax)
	}
	sizes := make([]int, len(bufs))
	for {
		n, err := f.Read(bufs, sizes, knockRoom)
		if err != nil {
			return err
		}
		for i := range n {
			if opens(bufs[i][knockRoom:][:sizes[i]], addr) {
				return nil
			}
		}
	}
}

// opens reports whether a packet is the answer of an open port.
func opens(p []byte, from netip.Addr) bool {
	if len(p) < ipHeader+tcpHeader || p[0]>>4 != 6 || p[6] != tcp {
		return false
	}
	src, to := netip.AddrFrom16([16]byte(p[8:])), netip.AddrFrom16([16]byte(p[24:]))
	return src == from && to == knocker() && p[ipHeader+13]&(flagSYN|flagACK|flagRST) == flagSYN|flagACK
}

// send sends a segment of the knock at a port.
func send(f front.Packets, to netip.Addr, port uint16, flags byte) error {
	b := make([]byte, knockRoom+ipHeader+tcpHeader)
	p := b[knockRoom:]
	p[0] = 6 << 4
	binary.BigEndian.PutUint16(p[4:], tcpHeader)
	p[6], p[7] = tcp, 64
	src, dst := knocker().As16(), to.As16()
	copy(p[8:], src[:])
	copy(p[24:], dst[:])
	t := p[ipHeader:]
	binary.BigEndian.PutUint16(t[0:], firstPort)
	binary.BigEndian.PutUint16(t[2:], port)
	binary.BigEndian.PutUint32(t[4:], 1)
	if flags&flagRST != 0 {
		binary.BigEndian.PutUint32(t[4:], 2) // what the answer expects next
	}
	t[12], t[13] = tcpHeader/4<<4, flags
	binary.BigEndian.PutUint16(t[14:], 1<<14)
	binary.BigEndian.PutUint16(t[16:], checksum(p))
	_, err := f.Write([][]byte{b}, knockRoom)
	return err
}

// checksum is TCP's over an IPv6 packet whose own place for it is zero (RFC
// 8200, 8.1).
func checksum(p []byte) uint16 {
	sum := uint32(len(p)-ipHeader) + tcp
	for i := 8; i+1 < len(p); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
