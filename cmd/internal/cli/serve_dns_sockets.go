package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"syscall"

	"landfall/cmd/internal/handover"
	"landfall/geodns/packet"
)

// dnsSockets are UDP and TCP on the same addresses and port, and what else
// there is to answer on.
type dnsSockets struct {
	udp []*net.UDPConn
	tcp []net.Listener

	tls, https, admin []net.Listener
}

// The names that sockets go by from one process to the next.
const (
	udpSocket   = "udp"
	tcpSocket   = "tcp"
	tlsSocket   = "tls"
	httpsSocket = "https"
	adminSocket = "admin"
)

func (s *dnsSockets) listeners() map[string]*[]net.Listener {
	return map[string]*[]net.Listener{tcpSocket: &s.tcp, tlsSocket: &s.tls, httpsSocket: &s.https, adminSocket: &s.admin}
}

func (s *dnsSockets) close() error {
	var errs []error
	for _, c := range s.udp {
		errs = append(errs, c.Close())
	}
	for _, ls := range s.listeners() {
		for _, l := range *ls {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// hold keeps them all open beyond their closing, for a successor.
func (s *dnsSockets) hold() (held handover.Sockets, err error) {
	keep := func(name string, c any) {
		one, fault := handover.Hold(name, c.(syscall.Conn)) // as all sockets of package net are
		if err = errors.Join(err, fault); fault == nil {
			held = append(held, one)
		}
	}
	for _, c := range s.udp {
		keep(udpSocket, c)
	}
	for name, ls := range s.listeners() {
		for _, l := range *ls {
			keep(name, l)
		}
	}
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// opener opens sockets, or takes those that were left.
type opener struct {
	ctx  context.Context
	left dnsSockets // and not taken yet
}

// newOpener takes what was held before, which stays the caller's.
func newOpener(ctx context.Context, held handover.Sockets) (o *opener, err error) {
	o = &opener{ctx: ctx}
	if o.left.udp, err = held.Packets(udpSocket); err != nil {
		return nil, err
	}
	for name, ls := range o.left.listeners() {
		if *ls, err = held.Listeners(name); err != nil {
			return nil, errors.Join(err, o.left.close())
		}
	}
	return o, nil
}

// open opens all that the flags want. What was left and nobody wants any more
// is closed.
func (s dnsServing) open(ctx context.Context, held handover.Sockets) (*dnsSockets, error) {
	o, err := newOpener(ctx, held)
	if err != nil {
		return nil, err
	}
	socks := new(dnsSockets)
	err = o.dns(socks, s.listen)
	for _, more := range []struct {
		flag, name, addr string
		to               *[]net.Listener
	}{
		{"--tls-listen", tlsSocket, s.tls, &socks.tls}, {"--https-listen", httpsSocket, s.https, &socks.https},
		{"--admin", adminSocket, s.admin, &socks.admin},
	} {
		if err == nil && more.addr != "" {
			if err = o.listen(more.to, more.name, more.addr); err != nil {
				err = fmt.Errorf("%s %s: %w", more.flag, more.addr, err)
			}
		}
	}
	if err = errors.Join(err, o.left.close()); err != nil {
		return nil, errors.Join(err, socks.close())
	}
	return socks, nil
}

// dns opens the sockets of an address. One that stands for all of them becomes
// each address of this machine: an answer has to leave by the address that it
// was asked at.
func (o *opener) dns(s *dnsSockets, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Usagef("--listen %s: want ADDR:PORT", listen)
	}
	hosts := []string{host}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		if port == "0" {
			return Usagef("--listen %s: port 0 would be another one at each address: name an address or a port", listen)
		}
		if hosts, err = ownAddresses(ip); err != nil {
			return fmt.Errorf("--listen %s: %w", listen, err)
		}
	}
	for _, h := range hosts {
		if err := o.pair(s, net.JoinHostPort(h, port)); err != nil {
			return fmt.Errorf("--listen %s: %w", listen, err)
		}
	}
	return nil
}

// pairTries is how often a free port is looked for: what is free for UDP may be
// taken for TCP.
const pairTries = 10

// pair opens UDP, a socket for each processor, and TCP at an address.
func (o *opener) pair(s *dnsSockets, addr string) error {
	got, rest := part(o.left.udp, func(c *net.UDPConn) bool { return fits(c.LocalAddr(), addr) })
	if o.left.udp = rest; len(got) > 0 {
		s.udp = append(s.udp, got...)
		return o.listen(&s.tcp, tcpSocket, got[0].LocalAddr().String())
	}
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if got, err = packet.Listen(o.ctx, at.AddrPort(), runtime.NumCPU()); err != nil {
			return err
		}
		err = o.listen(&s.tcp, tcpSocket, got[0].LocalAddr().String())
		if at.Port != 0 || try == pairTries || !errors.Is(err, syscall.EADDRINUSE) {
			s.udp = append(s.udp, got...)
			return err
		}
		for _, c := range got {
			c.Close()
		}
	}
}

// listen opens a socket for connections.
func (o *opener) listen(to *[]net.Listener, name, addr string) error {
	left := o.left.listeners()[name]
	got, rest := part(*left, func(l net.Listener) bool { return fits(l.Addr(), addr) })
	*left = rest
	if len(got) == 0 {
		l, err := new(net.ListenConfig).Listen(o.ctx, "tcp", addr)
		if err != nil {
			return err
		}
		got = []net.Listener{l}
	}
	*to = append(*to, got...)
	return nil
}

// part divides a list.
func part[T any](all []T, is func(T) bool) (yes, no []T) {
	for _, one := range all {
		if is(one) {
			yes = append(yes, one)
		} else {
			no = append(no, one)
		}
	}
	return yes, no
}

// fits reports whether a socket that is bound already does for an address; any
// port does for port 0.
func fits(bound net.Addr, addr string) bool {
	want, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return false
	}
	at, err := netip.ParseAddrPort(bound.String())
	w := want.AddrPort()
	if err != nil || w.Port() != 0 && w.Port() != at.Port() {
		return false
	}
	return at.Addr().Unmap() == w.Addr().Unmap() || !w.Addr().IsValid() && at.Addr().IsUnspecified()
}

// ownAddresses are those of this machine, now, that others or it itself can
// ask: of the family of the wildcard, or of both where that is invalid.
func ownAddresses(wildcard netip.Addr) ([]string, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLinkLocalUnicast() {
			continue
		}
		if !wildcard.IsValid() || wildcard.Is4() == p.Addr().Is4() {
			out = append(out, p.Addr().String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
