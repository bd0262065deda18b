package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/handover"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/systemd"
	"landfall/geodns/packet"
)

// binder opens the sockets of one node, or takes those that were handed in.
type binder struct {
	ctx    context.Context
	handed *systemd.Sockets
	left   left // of the node before
	errs   []error

	encrypted bool // there is a certificate to answer DNS by TLS with
}

// newBinder takes what was handed in and what a node before held, which both
// stay open.
func newBinder(ctx context.Context, local config.Local, handed *systemd.Sockets, held handover.Sockets) *binder {
	handed.Again()
	b := &binder{ctx: ctx, handed: handed, encrypted: local.DNS.Certificate != ""}
	var err error
	if b.left, err = open(held); err != nil {
		b.errs = append(b.errs, err)
	}
	return b
}

// bind opens what a node listens on by its entry in the map. All that is
// wrong is told at once, and then nothing stays open. A socket that was handed
// in for nothing is an error the first time; later a map may have made it so.
func bind(ctx context.Context, m *landfall.Map, self landfall.Node, local config.Local, handed *systemd.Sockets, held handover.Sockets, first bool) (node.Sockets, error) {
	b := newBinder(ctx, local, handed, held)
	defer b.left.close()
	var s node.Sockets
	b.mesh(&s, meshAddress(self, local.WireGuard))
	b.public(&s, m, self)
	if first {
		return b.done(s, handed.Unused())
	}
	return b.done(s, nil)
}

// bindMesh opens the socket of the mesh alone: at the node's own address, or
// at every one there is where that address is what is wrong.
func bindMesh(ctx context.Context, self landfall.Node, wireguard uint16) (s node.Sockets, err error) {
	for _, at := range []netip.AddrPort{meshAddress(self, wireguard), netip.AddrPortFrom(netip.IPv6Unspecified(), wireguard)} {
		b := &binder{ctx: ctx, handed: new(systemd.Sockets)}
		b.mesh(&s, at)
		if s, err = b.done(s, nil); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			break
		}
	}
	return s, err
}

// free finds out whether what users reach a node by could be opened now.
func free(ctx context.Context, m *landfall.Map, self landfall.Node, local config.Local, handed *systemd.Sockets, held handover.Sockets) bool {
	b := newBinder(ctx, local, handed, held)
	defer b.left.close()
	var s node.Sockets
	b.public(&s, m, self)
	closeSockets(s)
	return len(b.errs) == 0
}

// done is what was opened, or all that was wrong.
func (b *binder) done(s node.Sockets, more error) (node.Sockets, error) {
	if err := errors.Join(append(b.errs, more)...); err != nil {
		closeSockets(s)
		return node.Sockets{}, err
	}
	return s, nil
}

func (b *binder) mesh(s *node.Sockets, at netip.AddrPort) {
	for _, c := range b.udp(systemd.Mesh, []netip.AddrPort{at}) {
		s.WireGuard = c
	}
}

// public opens what users and resolvers reach the node by.
func (b *binder) public(s *node.Sockets, m *landfall.Map, self landfall.Node) {
	at := func(port uint16) (out []netip.AddrPort) {
		for _, a := range self.Listens() {
			out = append(out, netip.AddrPortFrom(a, port))
		}
		return out
	}
	switch https := at(m.Ports.EffectiveHTTPS()); {
	case self.Has(landfall.RoleEdge):
		s.HTTPS = b.tcp(systemd.HTTPS, https)
		s.HTTP = b.tcp(systemd.HTTP, at(m.Ports.EffectiveHTTP()))
	case self.Has(landfall.RoleOrigin):
		s.Join = b.tcp(systemd.HTTPS, https)
	}
	if self.Has(landfall.RoleDNS) {
		s.DNSTCP = b.tcp(systemd.DNS, at(m.Ports.EffectiveDNS()))
		s.DNSUDP = b.queries(at(m.Ports.EffectiveDNS()))
		b.private(s, m.Ports, at)
	}
}

// private opens what queries come by that are encrypted, if there is a
// certificate to show.
func (b *binder) private(s *node.Sockets, p landfall.Ports, at func(uint16) []netip.AddrPort) {
	if b.encrypted && p.DNSTLS != 0 {
		s.DNSTLS = b.tcp(systemd.DNSTLS, at(p.DNSTLS))
	}
	if b.encrypted && p.DNSHTTPS != 0 {
		s.DNSHTTPS = b.tcp(systemd.DNSHTTPS, at(p.DNSHTTPS))
	}
}

// meshAddress is what the socket of the mesh binds. A node with several
// addresses has one socket for all: which of them a peer is reached by is for
// the mesh to find out.
func meshAddress(self landfall.Node, port uint16) netip.AddrPort {
	if own := self.Listens(); len(own) == 1 {
		return netip.AddrPortFrom(own[0], port)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), port)
}

func (b *binder) tcp(name string, want []netip.AddrPort) []net.Listener {
	got, rest, err := b.handed.Listeners(name, want)
	if err != nil {
		b.errs = append(b.errs, err)
	}
	for _, at := range rest {
		if left := b.left.listeners(name, at); len(left) > 0 {
			got = append(got, left...)
			continue
		}
		l, err := new(net.ListenConfig).Listen(b.ctx, "tcp", at.String())
		if err != nil {
			b.fault(name, at.String(), err)
			continue
		}
		got = append(got, l)
	}
	return got
}

func (b *binder) udp(name string, want []netip.AddrPort) []net.PacketConn {
	got, rest, err := b.handed.Packets(name, want)
	if err != nil {
		b.errs = append(b.errs, err)
	}
	for _, at := range rest {
		where := at.String()
		if at.Addr().IsUnspecified() {
			where = fmt.Sprintf(":%d", at.Port()) // without IPv6 in the kernel, IPv4 alone
		}
		c, err := new(net.ListenConfig).ListenPacket(b.ctx, "udp", where)
		if err != nil {
			b.fault(name, where, err)
			continue
		}
		got = append(got, c)
	}
	return got
}

// queries opens what DNS comes by: at each address a socket for each processor.
// The service manager gives one.
func (b *binder) queries(want []netip.AddrPort) (out []*net.UDPConn) {
	got, rest, err := b.handed.Packets(systemd.DNS, want)
	if err != nil {
		b.errs = append(b.errs, err)
	}
	for _, c := range got {
		out = append(out, c.(*net.UDPConn))
	}
	for _, at := range rest {
		if left := b.left.packets(at); len(left) > 0 {
			out = append(out, left...)
			continue
		}
		conns, err := packet.Listen(b.ctx, at, runtime.NumCPU())
		if err != nil {
			b.fault(systemd.DNS, at.String(), err)
			continue
		}
		out = append(out, conns...)
	}
	return out
}

// fault says what is wrong with an address, and what to do.
func (b *binder) fault(what, where string, err error) {
	cure := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		cure = ": something else listens there: `ss -lnptu` tells what; stop it, or choose another port in [ports] of network.toml"
		if what == "mesh" {
			cure = ": something else listens there: `ss -lnpu` tells what; stop it. (The port stands in node.toml; peers know it by the map, so that another means joining again with --wireguard-port)"
		}
		if what == "dns" {
			cure = ": something else answers DNS there: `ss -lnptu` tells what; if it is systemd-resolved, DNSStubListener=no in /etc/systemd/resolved.conf stops that"
		}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		cure = ": this server does not have that address any more: give it back, or tell the network with `landfall set NODE --address ADDR` on the home server"
	case errors.Is(err, syscall.EACCES):
		cure = ": ports below 1024 need CAP_NET_BIND_SERVICE: run as the systemd unit does, or as root"
	}
	b.errs = append(b.errs, fmt.Errorf("%s on %s: %w%s", what, where, err, cure))
}

func closeSockets(s node.Sockets) {
	for _, ls := range [][]net.Listener{s.HTTPS, s.HTTP, s.Join, s.DNSTCP, s.DNSTLS, s.DNSHTTPS} {
		for _, l := range ls {
			l.Close()
		}
	}
	for _, c := range s.DNSUDP {
		c.Close()
	}
	if s.WireGuard != nil {
		s.WireGuard.Close()
	}
}
