package server

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"landfall/cmd/internal/handover"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/systemd"
)

// What sockets go by from one process to the next: the lock on the state
// directory, those that the service manager gave, by its names for them, and
// those of the name server.
const (
	lockSocket = "lock"
	managed    = "manager "
	queries    = "udp " + systemd.DNS
	overTCP    = "tcp "
)

// holdDNS keeps the sockets of a name server open when it closes them, for the
// node that comes after it, here or in another process.
func holdDNS(s node.Sockets) (held handover.Sockets, err error) {
	keep := func(name string, c any) {
		one, fault := handover.Hold(name, c.(syscall.Conn)) // as all sockets of package net are
		if err = errors.Join(err, fault); fault == nil {
			held = append(held, one)
		}
	}
	for _, c := range s.DNSUDP {
		keep(queries, c)
	}
	for name, ls := range map[string][]net.Listener{systemd.DNS: s.DNSTCP, systemd.DNSTLS: s.DNSTLS, systemd.DNSHTTPS: s.DNSHTTPS} {
		for _, l := range ls {
			keep(overTCP+name, l)
		}
	}
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// left are sockets that somebody held, open again.
type left struct {
	udp []*net.UDPConn
	tcp map[string][]net.Listener
}

// open opens what is held for a name server, which stays held.
func open(held handover.Sockets) (l left, err error) {
	if l.udp, err = held.Packets(queries); err != nil {
		return l, err
	}
	l.tcp = map[string][]net.Listener{}
	for _, name := range []string{systemd.DNS, systemd.DNSTLS, systemd.DNSHTTPS} {
		if l.tcp[name], err = held.Listeners(overTCP + name); err != nil {
			return l, errors.Join(err, l.close())
		}
	}
	return l, nil
}

// packets takes those that are bound to an address.
func (l *left) packets(at netip.AddrPort) (out []*net.UDPConn) {
	l.udp = slices.DeleteFunc(l.udp, func(c *net.UDPConn) bool {
		is := boundTo(c.LocalAddr(), at)
		if is {
			out = append(out, c)
		}
		return is
	})
	return out
}

// listeners takes those of a name that are bound to an address.
func (l *left) listeners(name string, at netip.AddrPort) (out []net.Listener) {
	l.tcp[name] = slices.DeleteFunc(l.tcp[name], func(c net.Listener) bool {
		is := boundTo(c.Addr(), at)
		if is {
			out = append(out, c)
		}
		return is
	})
	return out
}

func boundTo(a net.Addr, at netip.AddrPort) bool {
	is, err := netip.ParseAddrPort(a.String())
	return err == nil && is.Port() == at.Port() && is.Addr().Unmap() == at.Addr().Unmap()
}

// without closes those of some names.
func (l *left) without(names ...string) error {
	var errs []error
	for _, name := range names {
		for _, c := range l.tcp[name] {
			errs = append(errs, c.Close())
		}
		delete(l.tcp, name)
	}
	return errors.Join(errs...)
}

// close closes what nobody took.
func (l *left) close() error {
	var errs []error
	for _, c := range l.udp {
		errs = append(errs, c.Close())
	}
	for _, ls := range l.tcp {
		for _, c := range ls {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
