package wan

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"time"
)

// box is a NAT in a router: what is behind it, and its bindings, which belong
// to the loop. Ports of different protocols have nothing to do with each
// other.
type box struct {
	public    netip.Addr
	inside    map[netip.Addr]bool
	protocols map[uint8]*translator
	fragments map[fragment]carried
}

// boxes are all of them by address; they are never changed, but replaced.
type boxes struct{ byInside, byPublic map[netip.Addr]*box }

// Timeouts of bindings where a NAT says none: those for UDP are NATTimeout.
const (
	natTimeoutTCP  = 2*time.Hour + 4*time.Minute // RFC 5382, REQ-5
	natTimeoutICMP = time.Minute                 // RFC 5508, REQ-2
)

// SetNAT puts hosts with some inside addresses of IPv4 behind a NAT. The
// kernel must route what goes to these addresses to the hosts, and the site
// of the public address must be set. TCP, UDP and ICMP have a way through it,
// and nothing else; fragments do if the first one comes first (RFC 4787,
// REQ-14).
func (r *Router) SetNAT(n NAT, inside ...netip.Addr) error {
	if err := n.Check(); err != nil {
		return err
	}
	b := &box{public: n.Public, inside: map[netip.Addr]bool{}, protocols: map[uint8]*translator{}, fragments: map[fragment]carried{}}
	for protocol, timeout := range map[uint8]time.Duration{protoTCP: natTimeoutTCP, protoUDP: NATTimeout, protoICMP: natTimeoutICMP} {
		its := n
		if its.Timeout == 0 {
			its.Timeout = timeout
		}
		b.protocols[protocol] = newTranslator(its)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := &boxes{map[netip.Addr]*box{}, map[netip.Addr]*box{}}
	if now := r.boxes.Load(); now != nil {
		maps.Copy(next.byInside, now.byInside)
		maps.Copy(next.byPublic, now.byPublic)
	}
	if next.byPublic[n.Public] != nil {
		return fmt.Errorf("there is a nat at %v already", n.Public)
	}
	next.byPublic[n.Public] = b
	for _, a := range inside {
		if !a.Is4() || next.byInside[a] != nil {
			return fmt.Errorf("nat at %v: %v is behind another one, or no address of IPv4", n.Public, a)
		}
		next.byInside[a], b.inside[a] = b, true
	}
	r.boxes.Store(next)
	return nil
}

// leave translates a packet from behind a NAT, if it is one; ok is false if it
// has no way out.
func (l *loop) leave(b []byte, now time.Time) (ok bool) {
	all := l.boxes.Load()
	if all == nil || b[0]>>4 != 4 {
		return true
	}
	src, dst, _ := ends(b)
	x := all.byInside[src]
	if other := all.byInside[dst]; other != nil && other != x {
		return false // nobody routes there
	}
	if x == nil || x.inside[dst] {
		return true
	}
	return x.leave(b, src, dst, now)
}

// enter translates a packet that has arrived before a NAT, if it is one; ok is
// false if it is not let in.
func (l *loop) enter(b []byte, now time.Time) (ok bool) {
	all := l.boxes.Load()
	if all == nil || len(b) < head4 || b[0]>>4 != 4 {
		return true
	}
	src, dst, _ := ends(b)
	x := all.byPublic[dst]
	if x == nil {
		return true
	}
	return x.enter(b, src, now)
}

func (x *box) leave(b []byte, src, dst netip.Addr, now time.Time) bool {
	if x.follows(b, sourceAt, now) {
		return true
	}
	h, t := headLen(b), x.protocols[b[9]]
	if h == 0 || t == nil {
		return false
	}
	if b[9] == protoICMP && !isEcho(b[h:], icmpEcho) {
		return x.errorLeaves(b, h)
	}
	p, ok := portsOf(b, h)
	if !ok {
		return false
	}
	public, ok := t.leave(netip.AddrPortFrom(src, p.source), netip.AddrPortFrom(dst, p.dest), now)
	if !ok {
		return false
	}
	x.remember(b, x.public, sourceAt, now)
	readdress(b, h, sourceAt, public)
	return true
}

func (x *box) enter(b []byte, src netip.Addr, now time.Time) bool {
	if x.follows(b, destAt, now) {
		return true
	}
	h, t := headLen(b), x.protocols[b[9]]
	if h == 0 || t == nil {
		return false
	}
	if b[9] == protoICMP && !isEcho(b[h:], icmpEchoReply) {
		return x.errorEnters(b, h, now)
	}
	p, ok := portsOf(b, h)
	if !ok {
		return false
	}
	inside, ok := t.enter(netip.AddrPortFrom(src, p.source), p.dest, now)
	if !ok {
		return false
	}
	x.remember(b, inside.Addr(), destAt, now)
	readdress(b, h, destAt, inside)
	return true
}

// fragment is what fragments of a packet have in common (RFC 791, 3.2), on
// one side of a NAT.
type fragment struct {
	ends     [8]byte
	id       uint16
	protocol uint8
	field    int
}

// carried is where the rest of a packet goes, or comes from.
type carried struct {
	addr netip.Addr
	last time.Time
}

// The reassembly timeout (RFC 1122, 3.3.2), and how many packets in pieces a
// box follows.
const (
	fragmentTime = 60 * time.Second
	maxFragments = 1024
)

func fragmentOf(b []byte, field int) fragment {
	return fragment{[8]byte(b[12:20]), binary.BigEndian.Uint16(b[4:]), b[9], field}
}

// remember notes where the fragments go that follow a first one.
func (x *box) remember(b []byte, a netip.Addr, field int, now time.Time) {
	if binary.BigEndian.Uint16(b[6:])&moreFragments == 0 {
		return
	}
	if len(x.fragments) >= maxFragments {
		maps.DeleteFunc(x.fragments, func(_ fragment, c carried) bool { return now.Sub(c.last) >= fragmentTime })
	}
	if len(x.fragments) < maxFragments {
		x.fragments[fragmentOf(b, field)] = carried{a, now}
	}
}

// follows translates a fragment that follows a first one.
func (x *box) follows(b []byte, field int, now time.Time) bool {
	if binary.BigEndian.Uint16(b[6:])&offsetMask == 0 {
		return false
	}
	c, ok := x.fragments[fragmentOf(b, field)]
	if !ok || now.Sub(c.last) >= fragmentTime {
		return false
	}
	a := c.addr.As4()
	adjust(b[10:], b[field:field+4], a[:])
	copy(b[field:], a[:])
	return true
}
