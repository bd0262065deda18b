package wan

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// NAT translates between the addresses of a site and what the rest of the
// network sees of it. Its words are those of RFC 4787. It answers hairpins
// (6), keeps a port where it can (4.2.1), and packets from inside alone keep a
// binding alive (4.3).
type NAT struct {
	Public    netip.Addr    // what the rest sees; packets of the other family pass untouched
	Inside    netip.Addr    // one to one: this address is Public, whatever the port, and no other has a way out; the fields below are then of no account
	Mapping   Dependence    // what has to be alike for packets of one inside address and port to leave under one public port (4.1)
	Filtering Dependence    // what a binding's owner must have sent to for a packet from there to be let in (5)
	Timeout   time.Duration // how long a binding lives after the last packet from inside; 0 is NATTimeout
}

// Dependence is how much of the other end's address counts.
type Dependence uint8

// The three that RFC 4787 names.
const (
	Independent      Dependence = iota // of endpoints: nothing
	OnAddress                          // the address
	OnAddressAndPort                   // address and port
)

// NATTimeout is how long a binding lives by itself: what RFC 4787, 4.3, REQ-5
// asks of a NAT at the least.
const NATTimeout = 2 * time.Minute

// OneToOne gives one inside address a public one, as clouds do.
func OneToOne(public, inside netip.Addr) NAT { return NAT{Public: public, Inside: inside} }

// FullCone lets anybody in through a binding.
func FullCone(public netip.Addr) NAT { return NAT{Public: public} }

// AddressRestricted lets in those addresses that were sent to.
func AddressRestricted(public netip.Addr) NAT { return NAT{Public: public, Filtering: OnAddress} }

// PortRestricted lets in those addresses and ports that were sent to.
func PortRestricted(public netip.Addr) NAT { return NAT{Public: public, Filtering: OnAddressAndPort} }

// Symmetric has a binding for each address and port that is sent to, and lets
// in those alone.
func Symmetric(public netip.Addr) NAT {
	return NAT{Public: public, Mapping: OnAddressAndPort, Filtering: OnAddressAndPort}
}

// Check reports what makes no sense in a NAT.
func (n NAT) Check() error {
	switch {
	case !n.Public.IsValid():
		return errors.New("nat without a public address")
	case n.Inside.IsValid() && n.Inside.Is4() != n.Public.Is4():
		return fmt.Errorf("nat: %v and %v are of two families", n.Inside, n.Public)
	case n.Mapping > OnAddressAndPort, n.Filtering > OnAddressAndPort:
		return fmt.Errorf("nat: no such dependence as %d or %d", n.Mapping, n.Filtering)
	case n.Timeout < 0:
		return fmt.Errorf("nat: timeout %v is negative", n.Timeout)
	}
	return nil
}

// of is the part of an address that counts.
func (d Dependence) of(a netip.AddrPort) netip.AddrPort {
	switch d {
	case Independent:
		return netip.AddrPort{}
	case OnAddress:
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

// translator is a NAT with its bindings. It has no lock and no clock.
type translator struct {
	NAT
	out   map[flow]*binding
	in    map[uint16]*binding // by public port
	sweep int                 // how many bindings there are when the dead are next removed
}

// flow is what shares a binding: an inside address and port, and as much of
// the other end as Mapping depends on.
type flow struct{ inside, to netip.AddrPort }

type binding struct {
	flow flow
	port uint16
	last time.Time                    // the last packet from inside
	sent map[netip.AddrPort]time.Time // when each was last sent to, as far as Filtering depends on it
}

func newTranslator(n NAT) *translator {
	if n.Timeout == 0 {
		n.Timeout = NATTimeout
	}
	return &translator{NAT: n, out: map[flow]*binding{}, in: map[uint16]*binding{}, sweep: 64}
}

// ours reports whether a packet to or from an address is translated at all.
func (t *translator) ours(a netip.Addr) bool { return a.Is4() == t.Public.Is4() }

// leave is the public address of a packet from inside; ok is false if it has
// no way out.
func (t *translator) leave(src, dst netip.AddrPort, now time.Time) (public netip.AddrPort, ok bool) {
	if t.Inside.IsValid() {
		return netip.AddrPortFrom(t.Public, src.Port()), src.Addr() == t.Inside
	}
	f := flow{src, t.Mapping.of(dst)}
	b := t.out[f]
	if b == nil || !t.alive(b.last, now) {
		if b = t.bind(f, now); b == nil {
			return netip.AddrPort{}, false
		}
	}
	b.last = now
	b.sent[t.Filtering.of(dst)] = now
	return netip.AddrPortFrom(t.Public, b.port), true
}

// enter is the inside address of a packet to a public port; ok is false if it
// is not let in.
func (t *translator) enter(src netip.AddrPort, port uint16, now time.Time) (inside netip.AddrPort, ok bool) {
	if t.Inside.IsValid() {
		return netip.AddrPortFrom(t.Inside, port), true
	}
	b := t.in[port]
	if b == nil || !t.alive(b.last, now) {
		return netip.AddrPort{}, false
	}
	last, sent := b.sent[t.Filtering.of(src)]
	return b.flow.inside, sent && t.alive(last, now)
}

func (t *translator) alive(last, now time.Time) bool { return now.Sub(last) < t.Timeout }

// bind makes a binding, on the port of the inside if that is free.
func (t *translator) bind(f flow, now time.Time) *binding {
	t.forget(t.out[f])
	if len(t.out) >= t.sweep {
		for _, b := range t.out {
			if !t.alive(b.last, now) {
				t.forget(b)
			}
		}
		t.sweep = 64 + 2*len(t.out)
	}
	port, ok := t.freePort(f, now)
	if !ok {
		return nil
	}
	t.forget(t.in[port])
	b := &binding{flow: f, port: port, last: now, sent: map[netip.AddrPort]time.Time{}}
	t.out[f], t.in[port] = b, b
	return b
}

// firstPort is the lowest that is given to those who cannot have their own.
const firstPort = 1024

// freePort depends on the flow, and on others only if they are in its way.
func (t *translator) freePort(f flow, now time.Time) (uint16, bool) {
	free := func(port uint16) bool { b := t.in[port]; return b == nil || !t.alive(b.last, now) }
	if port := f.inside.Port(); free(port) {
		return port, true
	}
	const ports = 1<<16 - firstPort
	start := hash64(f.inside.String(), f.to.String()) % ports
	for i := range uint64(ports) {
		if port := uint16(firstPort + (start+i)%ports); free(port) {
			return port, true
		}
	}
	return 0, false
}

func (t *translator) forget(b *binding) {
	if b != nil {
		delete(t.out, b.flow)
		delete(t.in, b.port)
	}
}
