package main

import (
	"errors"
	"net"
	"net/netip"

	"landfall"
	"landfall/bench/peers"
	"landfall/mesh/meshtest"
)

// The kinds of the far end of an idle one: many ends in one process, each of
// which knows the near one, and the others if it is told to.
const (
	ourCrowd = "landfall, many"
	itsCrowd = "wireguard-go, many"
)

// place is where an end of a network is heard.
func (c endConfig) place(i int) netip.AddrPort {
	if i == 0 || c.Crowd == 0 {
		return netip.AddrPortFrom(c.Wire[i], meshPort)
	}
	return netip.AddrPortFrom(c.Wire[1], meshPort+uint16(i))
}

// network is the map of some ends.
func (c endConfig) network(of ...int) *landfall.Map {
	m := &landfall.Map{Network: meshNetwork, Serial: 1}
	for _, i := range of {
		m.Nodes = append(m.Nodes, landfall.Node{
			ID: endName(i), Key: endKey(i).Public(), Endpoints: []netip.AddrPort{c.place(i)}, Mesh: inside(i),
		})
	}
	return m
}

// known are all ends that an end of a tunnel knows, itself included.
func (c endConfig) known() (all []int) {
	for i := range max(c.Crowd, 1) + 1 {
		all = append(all, i)
	}
	return all
}

// crowd runs many ends at once.
func (e *end) crowd(start func(i int) (stop func() error, err error)) error {
	var stops []func() error
	e.stop = func() error {
		done := make(chan error, len(stops))
		for _, stop := range stops {
			go func() { done <- stop() }()
		}
		var faults []error
		for range stops {
			faults = append(faults, <-done)
		}
		return errors.Join(faults...)
	}
	for i := 1; i <= e.Crowd; i++ {
		stop, err := start(i)
		if err != nil {
			return err
		}
		stops = append(stops, stop)
	}
	return nil
}

func (e *end) openOurCrowd() error {
	return e.crowd(func(i int) (func() error, error) {
		known := []int{0, i}
		if e.Full {
			known = e.known()
		}
		_, stop, err := e.join(i, e.network(known...), "", meshtest.NewFront(func([]byte) {}))
		return stop, err
	})
}

func (e *end) openTheirCrowd() error {
	return e.crowd(func(i int) (func() error, error) {
		near := peers.TunnelPeer{Key: endKey(0).Public(), Addr: inside(0), Endpoint: e.place(0)}
		stop, err := peers.Tunnel{Key: endKey(i), Listen: e.place(i).Port(), Addr: inside(i), Peers: []peers.TunnelPeer{near}}.Silent()
		if err != nil {
			return nil, err
		}
		return func() error { stop(); return nil }, nil
	})
}

// socket is that of an end.
func (e *end) socket(i int) (net.PacketConn, error) {
	return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(e.place(i)))
}
