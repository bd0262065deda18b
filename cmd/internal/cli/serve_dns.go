package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"landfall"
	"landfall/cmd/internal/node"
)

func dnsServeCommand() Command {
	var s dnsServing
	var verbose bool
	return Command{
		Path:  "dns serve",
		Short: "Run the name server alone, for edges that are not Landfall's",
		Long: `Answers for the domain of a network file on UDP and TCP: each client gets the
nearest edges that are up, by the addresses that the file gives to its nodes.
Edges are probed as [health] of the file says, or by a connection to the port
that they end TLS on; --probe says otherwise. The network file, the files of its
zones and databases are read again when they change: one with faults changes
nothing, and the log says where they are. --state keeps what is known of edges and clients over a restart.`,
		Flags: func(f *Flags) {
			f.String(&s.network, "network", "network.toml", "`FILE` that describes the network")
			f.Name(&s.geo, "geo", "`FILE` with a geographic database in MaxMind's format")
			f.Name(&s.asn, "asn", "`FILE` with a database of networks, for overrides and preferences by ASN")
			f.String(&s.listen, "listen", ":53", "`ADDR` to answer on, such as 192.0.2.1:53; without a host, each address of this machine")
			f.Name(&s.probe, "probe", "`HOW` edges are probed: tcp connects, http and https ask for health.path or a Landfall edge's health, none takes all as up")
			f.Name(&s.state, "state", "`DIR` for what outlives a restart; default: nothing does")
			f.Name(&s.tls, "tls-listen", "`ADDR` to answer on by TLS, such as 192.0.2.1:853; default: nowhere")
			f.Name(&s.https, "https-listen", "`ADDR` to answer on by HTTPS, at /dns-query; default: nowhere")
			f.Name(&s.cert, "cert", "`FILE` with the certificate for both, in PEM, with those that lead to its authority; it is read again when it changes")
			f.Name(&s.key, "key", "`FILE` with its private key")
			f.Name(&s.tsig, "tsig", "`FILE` with the keys of secondaries, as tsig-keygen writes it")
			f.String(&s.demand, "demand", "", "`N` requests a second that all clients make, for ceilings; default: unknown")
			f.Bool(&verbose, "verbose", "log more")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if s.geo == "" {
				return Usagef("--geo is needed: a geographic database in MaxMind's format (.mmdb)")
			}
			s.log = env.log(verbose)
			return serveDNS(ctx, env, s)
		},
	}
}

// dnsServing is what the flags said.
type dnsServing struct {
	network, geo, asn, listen, probe, state, demand string

	tls, https, cert, key, tsig string

	log *slog.Logger
}

func serveDNS(ctx context.Context, env *Env, s dnsServing) (err error) {
	file := &networkFile{env: env, name: s.network, prepare: s.prepare, log: s.log}
	m, err := file.open()
	if err != nil {
		return err
	}
	demand, err := parseDemand(s.demand)
	if err != nil {
		return err
	}
	atlas, err := node.OpenAtlas(node.AtlasConfig{Sources: sources(env, s.geo, s.asn), Log: s.log})
	if err != nil {
		return err
	}
	keep, err := s.keep(env)
	if err != nil {
		return err
	}
	if keep != nil {
		defer func() { err = errors.Join(err, keep.Close()) }()
	}
	cert, secrets, err := s.private(env)
	if err != nil {
		return err
	}
	socks, err := s.sockets(ctx)
	if err != nil {
		return err
	}
	d, err := node.NewDNS(node.DNSConfig{
		UDP: socks.udp, TCP: socks.tcp, TLS: socks.tls, HTTPS: socks.https, Certificate: cert, Secrets: secrets, Version: "landfall " + version(),
		Atlas: atlas, Keep: keep, Probe: s.prober(file), Demand: demand, Log: s.log,
	})
	if err != nil {
		return errors.Join(err, socks.close())
	}
	d.SetMap(m)
	for _, c := range socks.udp {
		fmt.Fprintf(env.Stdout, "answering for %s on %v\n", strings.Join(zonesOf(m), ", "), c.LocalAddr())
	}
	for _, l := range socks.tls {
		fmt.Fprintf(env.Stdout, "answering by TLS on %v\n", l.Addr())
	}
	for _, l := range socks.https {
		fmt.Fprintf(env.Stdout, "answering by HTTPS on https://%v/dns-query\n", l.Addr())
	}
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer stop()
	following.Go(func() { file.follow(ctx, d.SetMap) })
	return d.RunAlone(ctx)
}

// zonesOf are the names of a map's zones, the domain first.
func zonesOf(m *landfall.Map) []string {
	names := []string{m.Domain}
	for _, z := range m.Zones {
		if z.Name != m.Domain {
			names = append(names, z.Name)
		}
	}
	return names
}

// prober is how edges are probed; nil takes all as up.
func (s dnsServing) prober(file *networkFile) func(context.Context, landfall.Node) error {
	if s.probe == "none" {
		return nil
	}
	return node.Probe(file.now.Load, nil, nil)
}

// prepare has a map say what the flags do.
func (s dnsServing) prepare(m *landfall.Map) error {
	switch kind := landfall.ProbeKind(s.probe); kind {
	case landfall.ProbeTCP, landfall.ProbeHTTP, landfall.ProbeHTTPS:
		m.Health.Probe = kind
	case "none":
		return nil
	case "":
		m.Health.Probe = cmp.Or(m.Health.Probe, landfall.ProbeTCP)
	default:
		return Usagef("--probe %s: want tcp, http, https or none", s.probe)
	}
	if m.Health.Probe == landfall.ProbeMesh {
		return Usagef("%s wants edges probed through the mesh, and a name server alone is in none: say --probe https, http or tcp", title(s.network))
	}
	return nil
}

// keep opens the state directory; nil if there is none.
func (s dnsServing) keep(env *Env) (*os.Root, error) {
	if s.state == "" {
		return nil, nil
	}
	dir := env.Path(s.state)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	return os.OpenRoot(dir)
}

// dnsSockets are UDP and TCP on the same addresses and port.
type dnsSockets struct {
	udp []*net.UDPConn
	tcp []net.Listener

	tls, https []net.Listener
}

func (s *dnsSockets) close() error {
	var errs []error
	for _, c := range s.udp {
		errs = append(errs, c.Close())
	}
	for _, l := range slices.Concat(s.tcp, s.tls, s.https) {
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
