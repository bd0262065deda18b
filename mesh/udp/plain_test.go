package udp

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// markedPipe is a net.PacketConn that gives back what is written to it.
type markedPipe struct {
	net.PacketConn // for what is not asked

	addr   netip.AddrPort
	queue  chan markedDatagram
	closed chan struct{}
	once   sync.Once
	mtu    int
	broken []error // of the next reads and writes
}

type markedDatagram struct {
	data string
	to   netip.AddrPort
	tos  uint8
}

func newMarkedPipe() *markedPipe {
	return &markedPipe{addr: netip.MustParseAddrPort("[::ffff:192.0.2.1]:7"), queue: make(chan markedDatagram, 100), closed: make(chan struct{}), mtu: 1000}
}

func (p *markedPipe) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.addr) }

func (p *markedPipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *markedPipe) fault() (err error) {
	if len(p.broken) > 0 {
		err, p.broken = p.broken[0], p.broken[1:]
	}
	return err
}

func (p *markedPipe) WriteMarked(b []byte, to netip.AddrPort, tos uint8) (int, error) {
	if err := p.fault(); err != nil {
		return 0, err
	}
	if len(b) > p.mtu {
		return 0, &net.OpError{Op: "write", Err: syscall.EMSGSIZE}
	}
	select {
	case <-p.closed:
		return 0, net.ErrClosed
	case p.queue <- markedDatagram{string(b), to, tos}:
		return len(b), nil
	}
}

func (p *markedPipe) ReadMarked(b []byte) (int, netip.AddrPort, uint8, error) {
	if err := p.fault(); err != nil {
		return 0, netip.AddrPort{}, 0, err
	}
	select {
	case <-p.closed:
		return 0, netip.AddrPort{}, 0, net.ErrClosed
	case d := <-p.queue:
		return copy(b, d.data), p.addr, d.tos, nil
	}
}

func TestMarkedConnsCarryMarks(t *testing.T) {
	p := newMarkedPipe()
	c, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Write([][]byte{{1}, {2}}, somewhere, 34<<2|1), c.Urgent([]byte{3}, somewhere, 48<<2|3)); err != nil {
		t.Fatal(err)
	}
	from := netip.MustParseAddrPort("192.0.2.1:7")
	if want := []datagram{{"\x01", from, 34<<2 | 1}, {"\x02", from, 34<<2 | 1}, {"\x03", from, 48<<2 | 3}}; !slices.Equal(hear(t, c, 3), want) {
		t.Errorf("not %v", want)
	}
	if c.LocalAddr() != from {
		t.Errorf("local address %v", c.LocalAddr())
	}
}

func TestPlainConnLeavesOutWhatCannotBeSent(t *testing.T) {
	p := newMarkedPipe()
	c, _ := New(p)
	p.broken = []error{nil, syscall.EHOSTUNREACH}
	err := c.Write(made([]int{10, 20, 1001, 30}), somewhere, 0)
	if !errors.Is(err, ErrTooBig) || !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("%v", err)
	}
	p.broken = []error{syscall.ECONNREFUSED}
	if got := hear(t, c, 2); len(got[0].data) != 10 || len(got[1].data) != 30 {
		t.Errorf("%v", got)
	}
	if st := c.Stats(); st.TooBig != 1 || st.Unsent != 1 || st.Sent != 2 || st.Refused != 1 || st.Received != 2 {
		t.Errorf("%+v", st)
	}
	p.broken = []error{errors.New("broken")}
	if _, err := newMailbox(1, 10).read(c); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	c.Close()
	_, err = newMailbox(1, 10).read(c)
	wantClosed(t, err)
	p.queue = nil
	wantClosed(t, c.Write(made([]int{1, 1}), somewhere, 0))
}

func TestAnyPacketConnServes(t *testing.T) {
	near, err := New(struct{ net.PacketConn }{listen(t, "127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	far := bind(t, "[::]:0")
	if err := near.Write(made([]int{5, 6, 7}), at(far, "127.0.0.1"), 0); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, far, 3); got[2].from != near.LocalAddr() {
		t.Errorf("from %v, want %v", got[2].from, near.LocalAddr())
	}
	if err := far.Write(made([]int{8}), near.LocalAddr(), 0); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, near, 1); len(got[0].data) != 8 || got[0].from != at(far, "127.0.0.1") {
		t.Errorf("%v", got)
	}
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	_, err = newMailbox(1, 10).read(near)
	wantClosed(t, err)
}
