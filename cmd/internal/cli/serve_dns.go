package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"landfall"
	"landfall/cmd/internal/node"
	"landfall/geodns/locate"
)

func dnsServeCommand() Command {
	var network, geo, listen, probe string
	var verbose bool
	return Command{
		Path:  "dns serve",
		Short: "Run the name server alone, for edges that are not Landfall's",
		Long: `Answers for the domain of a network file on UDP and TCP: each client gets the
nearest edges that are up, by the addresses that the file gives to its nodes.
Edges are probed on the port that they end TLS on; --probe says how.`,
		Flags: func(f *Flags) {
			f.String(&network, "network", "network.toml", "`FILE` that describes the network")
			f.Name(&geo, "geo", "`FILE` with a geographic database in MaxMind's format")
			f.String(&listen, "listen", ":53", "`ADDR` to answer on, such as 192.0.2.1:53; without a host, each address of this machine")
			f.String(&probe, "probe", "tcp", "`HOW` edges are probed: tcp connects, http and https ask for health.path or a Landfall edge's health, none takes all as up")
			f.Bool(&verbose, "verbose", "log more")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if geo == "" {
				return Usagef("--geo is needed: a geographic database in MaxMind's format (.mmdb)")
			}
			return serveDNS(ctx, env, dnsServing{network, env.Path(geo), listen, probe, env.log(verbose)})
		},
	}
}

// dnsServing is what the flags said.
type dnsServing struct {
	network, geo, listen, probe string
	log                         *slog.Logger
}

func serveDNS(ctx context.Context, env *Env, s dnsServing) error {
	m, err := readMap(env, s.network)
	if err != nil {
		return err
	}
	var probe func(context.Context, landfall.Node) error
	switch kind := landfall.ProbeKind(s.probe); kind {
	case landfall.ProbeTCP, landfall.ProbeHTTP, landfall.ProbeHTTPS:
		m.Health.Probe = kind
		probe = node.Probe(func() *landfall.Map { return m }, nil, nil)
	case "none":
	default:
		return Usagef("--probe %s: want tcp, http, https or none", s.probe)
	}
	table, err := locate.Open(locate.Sources{Places: s.geo}, nil)
	if err != nil {
		return err
	}
	socks, err := listenDNS(ctx, s.listen)
	if err != nil {
		return err
	}
	d, err := node.NewDNS(node.DNSConfig{UDP: socks.udp, TCP: socks.tcp, Table: table, Probe: probe, Log: s.log})
	if err != nil {
		return errors.Join(err, socks.close())
	}
	d.SetMap(m)
	for _, c := range socks.udp {
		fmt.Fprintf(env.Stdout, "answering for %s on %v\n", m.Domain, c.LocalAddr())
	}
	return d.Run(ctx)
}

// dnsSockets are UDP and TCP on the same addresses and port.
type dnsSockets struct {
	udp []*net.UDPConn
	tcp []net.Listener
}

func (s *dnsSockets) close() error {
	var errs []error
	for _, c := range s.udp {
		errs = append(errs, c.Close())
	}
	for _, l := range s.tcp {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// listenDNS opens the sockets of an address. One that stands for all of them
// becomes each address of this machine: an answer has to leave by the address
// that it was asked at.
func listenDNS(ctx context.Context, listen string) (*dnsSockets, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, Usagef("--listen %s: want ADDR:PORT", listen)
	}
	hosts := []string{host}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		if port == "0" {
			return nil, Usagef("--listen %s: port 0 would be another one at each address: name an address or a port", listen)
		}
		if hosts, err = ownAddresses(ip); err != nil {
			return nil, fmt.Errorf("--listen %s: %w", listen, err)
		}
	}
	s := &dnsSockets{}
	for _, h := range hosts {
		if err := s.add(ctx, net.JoinHostPort(h, port)); err != nil {
			return nil, errors.Join(fmt.Errorf("--listen %s: %w", listen, err), s.close())
		}
	}
	return s, nil
}

func (s *dnsSockets) add(ctx context.Context, addr string) error {
	c, err := new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
	if err != nil {
		return err
	}
	s.udp = append(s.udp, c.(*net.UDPConn))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.LocalAddr().String())
	if err == nil {
		s.tcp = append(s.tcp, l)
	}
	return err
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
	return out, nil
}
