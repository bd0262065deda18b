package netstack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	gvlog "gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const nicID = 1

// How TCP behaves between nodes.
const (
	// The most that waits to be read, and to be acknowledged, on one stream.
	// Half of the one is the window, so both fill 200 Mbit/s at 150 ms.
	maxReceive = 8 << 20
	maxSend    = 4 << 20

	// What a stream begins with, each way: less slows down the first MiB at
	// 150 ms. While the budget is spent it is minBuffer.
	startBuffer = 512 << 10
	minBuffer   = 64 << 10

	synRetries  = 4                // 1 + 2 + 4 + 8 + 16 s; dialers give up before
	lingerAfter = 10 * time.Second // for the peer's half after our close
	timeWait    = 5 * time.Second  // round trips here are far below the 60 s of the Internet's

	// A stream ends after so many retransmissions, or keep-alives when nothing
	// is under way, without any answer. The usual option for it, a user
	// timeout, would also end a stream whose reader is slow: it counts the
	// time for which the peer's window is shut.
	retries    = 6
	keepAlives = 3
)

// longestRTO makes retries last about as long as timeout: the first few
// waits are shorter, so they have time to double up to it.
func longestRTO(timeout time.Duration) time.Duration { return max(tcp.MinRTO, timeout/5) }

// newStack makes a stack with one address behind n. What it sends to that
// address itself never reaches n.
func newStack(n *nic, addr netip.Addr, timeout time.Duration) (*stack.Stack, error) {
	gvlog.SetTarget(silence{}) // the stack's own logger prints to stderr
	// Reno: the window of this CUBIC can fall to nothing, after timeouts or
	// when round trips grow longer in slow start, and a stream then stands
	// still for ever, though its peer answers (RFC 9438, 4.2 forbids a target
	// below the window).
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		HandleLocal:        true,
	})
	if err := errors.Join(setTCP(s, timeout), attach(s, n, addr)); err != nil {
		s.Destroy()
		return nil, err
	}
	return s, nil
}

func setTCP(s *stack.Stack, timeout time.Duration) error {
	linger, wait := tcpip.TCPLingerTimeoutOption(lingerAfter), tcpip.TCPTimeWaitTimeoutOption(timeWait)
	syn, again := tcpip.TCPSynRetriesOption(synRetries), tcpip.TCPMaxRetriesOption(retries)
	rto := tcpip.TCPMaxRTOOption(longestRTO(timeout))
	var errs []error
	for _, o := range []tcpip.SettableTransportProtocolOption{
		&tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: minBuffer, Max: maxReceive},
		&tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: minBuffer, Max: maxSend},
		&linger, &wait, &syn, &again, &rto,
	} {
		if e := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); e != nil {
			errs = append(errs, fmt.Errorf("set %T: %w", o, goError(e)))
		}
	}
	return errors.Join(errs...)
}

func attach(s *stack.Stack, n *nic, addr netip.Addr) error {
	if e := s.CreateNIC(nicID, n); e != nil {
		return fmt.Errorf("create nic: %w", goError(e))
	}
	a := tcpip.ProtocolAddress{
		Protocol:          header.IPv6ProtocolNumber,
		AddressWithPrefix: tcpip.AddrFrom16(addr.As16()).WithPrefix(),
	}
	if e := s.AddProtocolAddress(nicID, a, stack.AddressProperties{}); e != nil {
		return fmt.Errorf("add address %v: %w", addr, goError(e))
	}
	s.AddRoute(tcpip.Route{Destination: header.IPv6EmptySubnet, NIC: nicID})
	return nil
}

// tune sets what only endpoints themselves can be told, once they are
// connected: keep-alives asked for before are never sent unless something
// else arrives.
func tune(ep tcpip.Endpoint, timeout time.Duration) {
	ep.SocketOptions().SetDelayOption(false)
	ep.SocketOptions().SetKeepAlive(true)
	idle, every := tcpip.KeepaliveIdleOption(timeout), tcpip.KeepaliveIntervalOption(timeout/keepAlives)
	// These options exist for every TCP endpoint; setting them cannot fail.
	_ = ep.SetSockOpt(&idle)
	_ = ep.SetSockOpt(&every)
	_ = ep.SetSockOptInt(tcpip.KeepaliveCountOption, keepAlives)
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom16(a.Addr().As16()), Port: a.Port()}
}

func fromFull(a tcpip.FullAddress) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(a.Addr.AsSlice())
	return netip.AddrPortFrom(ip, a.Port)
}

// goError is a stack's error as the one that a kernel socket would give,
// EIO if no kernel would.
func goError(e tcpip.Error) error {
	switch e.(type) {
	case nil:
		return nil
	case *tcpip.ErrConnectionRefused:
		return syscall.ECONNREFUSED
	case *tcpip.ErrConnectionReset:
		return syscall.ECONNRESET
	case *tcpip.ErrConnectionAborted, *tcpip.ErrAborted:
		return syscall.ECONNABORTED
	case *tcpip.ErrTimeout:
		return syscall.ETIMEDOUT
	case *tcpip.ErrHostUnreachable, *tcpip.ErrHostDown, *tcpip.ErrNetworkUnreachable, *tcpip.ErrNoNet:
		return syscall.EHOSTUNREACH
	case *tcpip.ErrClosedForSend:
		return syscall.EPIPE
	case *tcpip.ErrPortInUse:
		return syscall.EADDRINUSE
	case *tcpip.ErrNoPortAvailable:
		return syscall.EADDRNOTAVAIL
	case *tcpip.ErrNoBufferSpace:
		return syscall.ENOBUFS
	case *tcpip.ErrClosedForReceive, *tcpip.ErrNotConnected, *tcpip.ErrInvalidEndpointState:
		return net.ErrClosed
	}
	return fmt.Errorf("%v: %w", e, syscall.EIO)
}

// silence is a logger of the stack's kind that says nothing.
type silence struct{}

func (silence) Emit(int, gvlog.Level, time.Time, string, ...any) {}
