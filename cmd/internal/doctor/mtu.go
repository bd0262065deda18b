package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"landfall"

	"golang.org/x/sys/unix"
)

// What lies around a packet of the mesh (1280 bytes at least): the headers of
// WireGuard, UDP and IP.
const (
	needIPv4 = 1280 + 32 + 8 + 20
	needIPv6 = 1280 + 32 + 8 + 40
)

// mtuWait is how long a router may take to say that a packet is too long, and
// mtuTries how often it may say so.
const (
	mtuWait  = 400 * time.Millisecond
	mtuTries = 4
)

// mtu finds out how long packets to the other nodes may be.
func (p *patient) mtu(ctx context.Context, n *notes) {
	var places []measured
	for _, peer := range p.Map.Nodes {
		if peer.ID == p.Self || !peer.Joined() {
			continue
		}
		for _, e := range peer.Endpoints {
			places = append(places, measured{peer: peer.ID, at: netip.AddrPortFrom(e.Addr().Unmap(), e.Port())})
		}
	}
	var measuring sync.WaitGroup
	for i := range places {
		m := &places[i]
		measuring.Go(func() { m.mtu, m.err = pathMTU(ctx, m.at) })
	}
	measuring.Wait()
	n.list = append(n.list, judgeMTU(places)...)
}

// measured is how long a packet to one endpoint of a peer may be.
type measured struct {
	peer landfall.NodeID
	at   netip.AddrPort
	mtu  int
	err  error
}

func judgeMTU(places []measured) []Finding {
	n := notes{check: "mtu"}
	for _, m := range places {
		need := needIPv4
		if m.at.Addr().Is6() {
			need = needIPv6
		}
		switch {
		case m.err != nil && faultOf(m.err) == NoRoute: // this machine has no such addresses: others may
		case m.err != nil:
			n.warn("ip route get "+m.at.Addr().String(), "the path to %s by %v cannot be measured: %v", m.peer, m.at, m.err)
		case m.mtu < need:
			n.warn(fmt.Sprintf("ip route get %v; then, with the DEVICE it names: ip link set dev DEVICE mtu 1500", m.at.Addr()), "packets to %s by %v may have %d bytes; the mesh needs %d, or they travel in pieces", m.peer, m.at, m.mtu, need)
		default:
			n.ok("packets to %s by %v may have %d bytes", m.peer, m.at, m.mtu)
		}
	}
	return n.list
}

// pathMTU sends datagrams that nobody on the way may cut, as long as the
// kernel lets them be, and asks it what it learned from routers that refused
// them (RFC 1191, RFC 8201). A router that refuses in silence is not found.
func pathMTU(ctx context.Context, to netip.AddrPort) (int, error) {
	level, discover, option, headers := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_MTU, 28
	if to.Addr().Is6() {
		level, discover, option, headers = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_MTU, 48
	}
	d := net.Dialer{}
	c, err := d.DialContext(ctx, "udp", to.String())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var known int
	ask := func(fd uintptr) {
		if err = unix.SetsockoptInt(int(fd), level, discover, unix.IP_PMTUDISC_DO); err == nil {
			known, err = unix.GetsockoptInt(int(fd), level, option)
		}
	}
	for range mtuTries {
		if err := errors.Join(raw.Control(ask), err); err != nil {
			return 0, fmt.Errorf("path MTU of %v: %w", to, err)
		}
		before := known
		// A datagram of zeros is no message of WireGuard's: who gets it drops
		// it. That it may be too long, or refused, is what we want to hear.
		_, _ = c.Write(bytes.Repeat([]byte{0}, min(known, 9000)-headers))
		if !pause(ctx, mtuWait) {
			return 0, context.Cause(ctx)
		}
		if err := errors.Join(raw.Control(ask), err); err != nil {
			return 0, fmt.Errorf("path MTU of %v: %w", to, err)
		}
		if known == before {
			break
		}
	}
	return known, nil
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// host is the address of an endpoint, as commands take it.
func host(endpoint string) string {
	if h, _, err := net.SplitHostPort(endpoint); err == nil {
		return h
	}
	return endpoint
}

// p99 is the duration that all but one in a hundred do not exceed; of none 0.
func p99(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	took = slices.Sorted(slices.Values(took))
	return took[(len(took)*99+99)/100-1]
}
