package wg

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/meshtest"
	"landfall/mesh/path"
	"landfall/mesh/udp"
)

// loopback starts two devices on sockets of the system.
func loopback(t testing.TB, on netip.Addr, of func(*node) front.Packets) (a, b *node) {
	t.Helper()
	nodes := make([]*node, 2)
	for i := range nodes {
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(on, 0)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := udp.New(u)
		if err != nil {
			t.Fatal(err)
		}
		n := &node{id: landfall.NodeID('a' + rune(i)), key: landfall.NewPrivateKey(), at: c.LocalAddr()}
		n.addr = landfall.MeshAddr(network, n.id)
		n.Device, err = Start(Config{
			Self: n.id, Key: n.key, Conns: []udp.Conn{c}, Front: of(n), Other: n.other, Wanted: n.want, Active: n.wake,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Device.Close)
		nodes[i] = n
	}
	for i, n := range nodes {
		other := nodes[1-i]
		n.meet(t, other, i == 0)
		n.Use(other.id, path.Route{Primary: other.way(), MTU: 1452})
	}
	nodes[0].Initiate(nodes[1].id)
	return nodes[0], nodes[1]
}

func TestSocketsOfTheSystem(t *testing.T) {
	for _, on := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		a, b := loopback(t, on, func(n *node) front.Packets {
			n.front = meshtest.NewFront(n.arrived)
			return n.front
		})
		// The first packets wait for the session; the rest comes in bursts.
		const count, each = 2000, 50
		var got []int
		for i := 0; i < count; i += each {
			a.say(t, b, landfall.Normal, i, i+each, 1420)
			for len(got) < i+each {
				if more := b.numbers(); len(more) > 0 {
					got = append(got, more...)
					continue
				}
				<-time.After(time.Millisecond)
			}
		}
		if !slices.Equal(got, upTo(count)) {
			t.Errorf("%v: %d arrived, or in disorder", on, len(got))
		}
		if tr := b.Traffic(a.id); len(tr) != 1 || tr[0].Way != a.way() || tr[0].Heard != count {
			t.Errorf("%v: heard %+v", on, tr)
		}
		if s := a.Sockets(); len(s) != 1 || s[0].Sent < count {
			t.Errorf("%v: sockets %+v", on, s)
		}
	}
}

// TestSocketThatFails tells the device's owner.
func TestSocketThatFails(t *testing.T) {
	n := &node{key: landfall.NewPrivateKey(), front: meshtest.NewFront(func([]byte) {})}
	s := newWire().sock(addrOf(0))
	d, err := Start(Config{Key: n.key, Conns: []udp.Conn{s}, Front: n.front, Other: n.other, Wanted: n.want, Active: n.wake})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s.Close()
	if err := <-d.Failed(); err == nil {
		t.Error("no reason")
	}
}
