package world

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"landfall"
)

// sockets are what one node listens on, bound before anything starts so that
// a port in use stops the start and nothing else.
type sockets struct {
	https     []net.Listener
	dnsTCP    []net.Listener
	dnsUDP    []*net.UDPConn
	wireguard net.PacketConn
}

func (s *sockets) close() {
	for _, l := range s.https {
		l.Close()
	}
	for _, l := range s.dnsTCP {
		l.Close()
	}
	for _, c := range s.dnsUDP {
		c.Close()
	}
	if s.wireguard != nil {
		s.wireguard.Close()
	}
}

// attempts bounds the search for a port that is free on every address.
const attempts = 50

// bind opens the sockets of all nodes on the given ports. A port of 0 becomes
// one that is free on all their addresses; the ports in use are returned.
func bind(m *landfall.Map, ports landfall.Ports) (map[landfall.NodeID]*sockets, landfall.Ports, error) {
	all := map[landfall.NodeID]*sockets{}
	for _, n := range m.Nodes {
		all[n.ID] = &sockets{}
	}
	err := errors.Join(
		bindPort(&ports.HTTPS, "--https-port", func(p uint16) error { return bindHTTPS(m, all, p) }),
		bindPort(&ports.DNS, "--dns-port", func(p uint16) error { return bindDNS(m, all, p) }),
		bindWireGuard(m, all),
	)
	if err != nil {
		for _, s := range all {
			s.close()
		}
		return nil, ports, err
	}
	return all, ports, nil
}

// bindPort binds to *port, or to any that works where that is 0.
func bindPort(port *uint16, flag string, bind func(uint16) error) error {
	if *port != 0 {
		err := bind(*port)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("%w (end what listens there, or choose another port with %s; 0 finds a free one)", err, flag)
		case errors.Is(err, syscall.EACCES):
			return fmt.Errorf("%w (ports below 1024 need root: choose another with %s)", err, flag)
		}
		return err
	}
	var err error
	for range attempts {
		if *port, err = freePort(); err != nil {
			return err
		}
		if err = bind(*port); !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	return fmt.Errorf("no port found that is free on every node's address: %w", err)
}

// freePort is a port that was free a moment ago.
func freePort() (uint16, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String()).Port(), nil
}

func bindHTTPS(m *landfall.Map, all map[landfall.NodeID]*sockets, port uint16) error {
	opened := map[landfall.NodeID][]net.Listener{}
	for n := range m.Having(landfall.RoleEdge) {
		for _, a := range n.Listens() {
			l, err := net.Listen("tcp", netip.AddrPortFrom(a, port).String())
			if err != nil {
				closeAll(opened)
				return fmt.Errorf("https port %d of edge %s: %w", port, n.ID, err)
			}
			opened[n.ID] = append(opened[n.ID], l)
		}
	}
	for id, l := range opened {
		all[id].https = l
	}
	return nil
}

func bindDNS(m *landfall.Map, all map[landfall.NodeID]*sockets, port uint16) error {
	tcp, udp := map[landfall.NodeID][]net.Listener{}, map[landfall.NodeID][]*net.UDPConn{}
	for n := range m.Having(landfall.RoleDNS) {
		for _, a := range n.Listens() {
			addr := netip.AddrPortFrom(a, port)
			c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
			if err == nil {
				udp[n.ID] = append(udp[n.ID], c)
				var l net.Listener
				if l, err = net.Listen("tcp", addr.String()); err == nil {
					tcp[n.ID] = append(tcp[n.ID], l)
				}
			}
			if err != nil {
				closeAll(tcp)
				closeAll(udp)
				return fmt.Errorf("dns port %d of name server %s: %w", port, n.ID, err)
			}
		}
	}
	for id := range udp {
		all[id].dnsTCP, all[id].dnsUDP = tcp[id], udp[id]
	}
	return nil
}

// bindWireGuard gives each node any free port on its first address: peers
// learn it from the map.
func bindWireGuard(m *landfall.Map, all map[landfall.NodeID]*sockets) error {
	for _, n := range m.Nodes {
		c, err := net.ListenPacket("udp", netip.AddrPortFrom(n.Listens()[0], 0).String())
		if err != nil {
			return fmt.Errorf("wireguard socket of node %s: %w", n.ID, err)
		}
		all[n.ID].wireguard = c
	}
	return nil
}

func closeAll[T interface{ Close() error }](opened map[landfall.NodeID][]T) {
	for _, sockets := range opened {
		for _, s := range sockets {
			s.Close()
		}
	}
}
