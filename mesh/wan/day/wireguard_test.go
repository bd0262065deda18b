package day

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/curve25519"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"landfall/mesh/wan"
)

// plain is a node that is one upstream WireGuard device, and nothing else.
type plain struct {
	place  Place
	device *device.Device
	tun    *packets
}

func startPlain(p Place) (Node, error) {
	n := &plain{place: p, tun: &packets{in: make(chan []byte, 16), events: make(chan tun.Event), done: make(chan struct{})}}
	n.tun.out = n.arrived
	n.device = device.NewDevice(n.tun, &bind{conn: p.Conn}, device.NewLogger(device.LogLevelSilent, ""))
	var config strings.Builder
	fmt.Fprintf(&config, "private_key=%x\nlisten_port=%d\n", privateKey(p.Peers[p.Number].Seed), port)
	for i, peer := range p.Peers {
		if i == p.Number {
			continue
		}
		public, err := curve25519.X25519(privateKey(peer.Seed), curve25519.Basepoint)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&config, "public_key=%x\nendpoint=%v\nallowed_ip=%v/32\npersistent_keepalive_interval=25\n", public, peer.Addr, inner(i))
	}
	if err := n.device.IpcSet(config.String()); err != nil {
		return nil, err
	}
	return n, n.device.Up()
}

func privateKey(seed uint64) []byte {
	b := make([]byte, 32)
	rand.NewChaCha8([32]byte(fmt.Appendf(nil, "%032d", seed))).Read(b)
	return b
}

func inner(number int) netip.Addr { return netip.AddrFrom4([4]byte{10, 200, 0, byte(number)}) }

const ipHeader = 20

// Send implements Node, with IP packets.
func (n *plain) Send(to int, message []byte) error {
	src, dst := inner(n.place.Number).As4(), inner(to).As4()
	b := append(make([]byte, ipHeader, ipHeader+len(message)), message...)
	b[0], b[8], b[9] = 4<<4|5, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	select {
	case n.tun.in <- b:
		return nil
	case <-n.tun.done:
		return os.ErrClosed
	}
}

func (n *plain) arrived(b []byte) { n.place.Got(int(b[15]), b[ipHeader:]) }

func (n *plain) Close() error {
	n.device.Close()
	return n.place.Conn.Close()
}

// packets is a TUN device in memory.
type packets struct {
	in     chan []byte
	out    func([]byte)
	events chan tun.Event
	done   chan struct{}
	once   sync.Once
}

func (p *packets) File() *os.File           { return nil }
func (p *packets) MTU() (int, error)        { return 1420, nil }
func (p *packets) Name() (string, error)    { return "memory", nil }
func (p *packets) Events() <-chan tun.Event { return p.events }
func (p *packets) BatchSize() int           { return 1 }

func (p *packets) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	select {
	case b := <-p.in:
		sizes[0] = copy(bufs[0][offset:], b)
		return 1, nil
	case <-p.done:
		return 0, os.ErrClosed
	}
}

func (p *packets) Write(bufs [][]byte, offset int) (int, error) {
	for _, b := range bufs {
		p.out(b[offset:])
	}
	return len(bufs), nil
}

func (p *packets) Close() error {
	p.once.Do(func() { close(p.done); close(p.events) })
	return nil
}

// bind is a conn.Bind on one packet conn, which stays open while the device
// closes and opens the bind at will.
type bind struct{ conn *wan.MemoryConn }

type endpoint struct{ conn.StdNetEndpoint }

func (b *bind) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	b.conn.SetReadDeadline(time.Time{})
	return []conn.ReceiveFunc{b.receive}, port, nil
}

func (b *bind) receive(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
	n, from, _, err := b.conn.ReadMarked(bufs[0])
	if err != nil {
		return 0, net.ErrClosed
	}
	sizes[0], eps[0] = n, &endpoint{conn.StdNetEndpoint{AddrPort: from}}
	return 1, nil
}

func (b *bind) Send(bufs [][]byte, to conn.Endpoint) error {
	var errs error
	for _, p := range bufs {
		_, err := b.conn.WriteMarked(p, to.(*endpoint).AddrPort, 0)
		errs = errors.Join(errs, err)
	}
	return errs
}

func (b *bind) ParseEndpoint(s string) (conn.Endpoint, error) {
	a, err := netip.ParseAddrPort(strings.TrimSpace(s))
	return &endpoint{conn.StdNetEndpoint{AddrPort: a}}, err
}

func (b *bind) Close() error         { return b.conn.SetReadDeadline(time.Unix(0, 1)) }
func (b *bind) SetMark(uint32) error { return nil }
func (b *bind) BatchSize() int       { return 1 }
