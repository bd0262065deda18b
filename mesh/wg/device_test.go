package wg

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/conn"
)

// pair is two devices that are each other's only peer.
type pair struct {
	a, b   *Device
	bAddr  netip.Addr
	keys   [2]landfall.PrivateKey
	others [2]chan []byte
}

func newPair(t *testing.T) *pair {
	t.Helper()
	var p pair
	var conns [2]*net.UDPConn
	for i := range 2 {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6loopback})
		if err != nil {
			t.Fatal(err)
		}
		conns[i], p.keys[i], p.others[i] = u, landfall.NewPrivateKey(), make(chan []byte, 16)
	}
	p.a = p.start(t, 0, conns[0])
	p.b = p.start(t, 1, conns[1])
	p.bAddr = p.b.addr
	p.meet(t, p.a, 1, conns[1], true)
	p.meet(t, p.b, 0, conns[0], false)
	return &p
}

func (p *pair) start(t *testing.T, i int, c net.PacketConn) *Device {
	t.Helper()
	d, err := Start(Config{
		Key: p.keys[i], Addr: landfall.MeshAddr("test", landfall.NodeID('a'+rune(i))), Conn: c, Timeout: 5 * time.Second,
		Other:  func(b []byte, _ netip.AddrPort) { p.others[i] <- bytes.Clone(b) },
		Wanted: func(landfall.PublicKey) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func (p *pair) meet(t *testing.T, d *Device, other int, at *net.UDPConn, initiate bool) {
	t.Helper()
	addr := at.LocalAddr().(*net.UDPAddr).AddrPort()
	key := p.keys[other].Public()
	peer := Peer{Key: key, Addr: landfall.MeshAddr("test", landfall.NodeID('a'+rune(other))), Initiate: initiate}
	if err := d.AddPeer(peer, addr); err != nil {
		t.Fatal(err)
	}
	d.Vouch(key, []netip.AddrPort{addr})
}

// dial connects a to a port of b.
func (p *pair) dial(t *testing.T, port uint16) *conn.Conn {
	t.Helper()
	c, err := conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
		s, err := p.a.Open(t.Context(), netip.AddrPortFrom(p.bAddr, port), nil, sink)
		return s, nil, nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// accept serves every stream to a port of b.
func (p *pair) accept(t *testing.T, port uint16, serve func(net.Conn)) {
	t.Helper()
	var serving sync.WaitGroup
	t.Cleanup(func() {
		p.b.Close()
		serving.Wait()
	})
	err := p.b.Listen(port, func(s *Stream) {
		c, err := conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
			s.Start(sink)
			return s, nil, nil, nil
		})
		if err == nil {
			serving.Go(func() { serve(c) })
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBulk(t *testing.T) {
	p := newPair(t)
	p.accept(t, 7, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	})
	c := p.dial(t, 7)
	start := time.Now()
	buf := make([]byte, 64<<10)
	for range 64 << 20 / len(buf) {
		if _, err := c.Write(buf); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.CloseWrite()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f MB/s", 64/time.Since(start).Seconds())
	st := p.a.stack.Stats().TCP
	t.Logf("retransmits %d fast %d timeouts %d fastrec %d sackrec %d sent %d", st.Retransmits.Value(), st.FastRetransmit.Value(), st.Timeouts.Value(), st.FastRecovery.Value(), st.SACKRecovery.Value(), st.SegmentsSent.Value())
}
