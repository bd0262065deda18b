package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

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
			f.String(&geo, "geo", "", "`FILE` with a geographic database in MaxMind's format")
			f.String(&listen, "listen", ":53", "`ADDR` to answer on, such as 192.0.2.1:53")
			f.String(&probe, "probe", "tcp", "`HOW` edges are probed: tcp connects, https asks a Landfall edge, none takes all as up")
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
	current := func() *landfall.Map { return m }
	probes := map[string]func(context.Context, landfall.Node) error{
		"tcp": node.TCPProbe(current), "https": node.HTTPSProbe(current, nil), "none": nil,
	}
	probe, ok := probes[s.probe]
	if !ok {
		return Usagef("--probe %s: want tcp, https or none", s.probe)
	}
	table, err := locate.Open(s.geo, nil)
	if err != nil {
		return err
	}
	udp, tcp, err := listenBoth(ctx, s.listen)
	if err != nil {
		return err
	}
	d, err := node.NewDNS(node.DNSConfig{
		UDP: []*net.UDPConn{udp}, TCP: []net.Listener{tcp}, Table: table, Probe: probe, Log: s.log,
	})
	if err != nil {
		return errors.Join(err, udp.Close(), tcp.Close())
	}
	d.SetMap(m)
	fmt.Fprintf(env.Stdout, "answering for %s on %v\n", m.Domain, udp.LocalAddr())
	return d.Run(ctx)
}

// listenBoth opens UDP and TCP on the same address and port.
func listenBoth(ctx context.Context, addr string) (*net.UDPConn, net.Listener, error) {
	c, err := new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("dns: %w", err)
	}
	udp := c.(*net.UDPConn)
	tcp, err := new(net.ListenConfig).Listen(ctx, "tcp", udp.LocalAddr().String())
	if err != nil {
		udp.Close()
		return nil, nil, fmt.Errorf("dns: %w", err)
	}
	return udp, tcp, nil
}
