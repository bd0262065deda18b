package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// sentinel is the id of a good question that is sent after each other one, by
// the same socket: no time is spent on waiting for an answer that does not come.
// The next id is that of a second one, see receive.
const sentinel = 0xbeee

// line is a socket to a server. Each has an address in a network of its own, so
// that no server holds its answers back.
type line struct {
	conn *net.UDPConn
	last []byte // the sentinel
	buf  [65536]byte
}

func newLine(t *testing.T, number int, to netip.AddrPort) *line {
	t.Helper()
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + number>>8), byte(number), 1}), 0)
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	last, err := new(dns.Msg).SetQuestion("mail."+static+".", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &line{conn: conn, last: last}
}

// send sends a message and the sentinel.
func (l *line) send(msg []byte) error {
	_, err := l.conn.Write(msg)
	return errors.Join(err, l.again(sentinel))
}

func (l *line) again(id uint16) error {
	binary.BigEndian.PutUint16(l.last, id)
	_, err := l.conn.Write(l.last)
	return err
}

// receive returns what is answered to a message that was sent; nil: nothing.
// Servers that read several messages at once may answer them in another order,
// so that the sentinel's answer may be the first. Then a second sentinel goes
// out, which the server has not read yet when it answers the rest.
func (l *line) receive() (reply []byte, err error) {
	l.conn.SetReadDeadline(time.Now().Add(patience))
	for want := uint16(sentinel); ; {
		n, err := l.conn.Read(l.buf[:])
		switch got := l.buf[:n]; {
		case err != nil:
			return nil, err
		case n < 2 || binary.BigEndian.Uint16(got)&^1 != sentinel:
			if reply != nil {
				return nil, fmt.Errorf("two answers to one message: %x and %x", reply, got)
			}
			reply = slices.Clone(got)
		case binary.BigEndian.Uint16(got) != want:
			return nil, fmt.Errorf("an answer that nobody waits for: %x", got)
		case reply != nil || want != sentinel:
			return reply, nil
		default:
			want++
			if err := l.again(want); err != nil {
				return nil, err
			}
		}
	}
}

// byTCP asks on a connection of its own. One that is closed says nothing.
func byTCP(addr netip.AddrPort, msg []byte) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", addr.String(), patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	c := &dns.Conn{Conn: conn}
	if _, err := c.Write(msg); err != nil {
		return nil, err
	}
	buf := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(buf)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil, nil
	}
	return buf[:n], err
}
