package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/keyring"
	"landfall/cmd/internal/node"
	"landfall/geodns/tap"
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
nothing, and the log says where they are. --state keeps what is known of edges
and clients over a restart, and the last files that were good, for a start with
some that are not; "landfall status" and "landfall dns replace" find the process
there.`,
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
			f.Name(&s.keys, "keys", "`DIR` with the keys that zones are signed with, see landfall dns keys, or a bundle of them; read again when they change")
			f.Strings(&s.unsigned, "unsigned", "`ZONE` that was signed and has lost its keys, to answer unsigned from now on; once for each")
			f.Name(&s.tsig, "tsig", "`FILE` with the keys of secondaries, as tsig-keygen writes it")
			f.Name(&s.nsid, "nsid", "`NAME` to tell who asks which server answered (NSID, and id.server where the network file says identity); default: the node of the file with the address it answers at, if there is one")
			f.Name(&s.admin, "admin", "`ADDR` to show metrics, status and health on, by HTTP, such as 127.0.0.1:9153; default: nowhere")
			f.Name(&s.queryLog, "query-log", "`FILE` to add a line of JSON to for each query; - is the standard output")
			f.Name(&s.dnstap, "dnstap", "`SOCKET` to tell each query to by dnstap: the name of a unix socket, or HOST:PORT")
			f.Int(&s.sample, "sample", 1, "tell both of one in `N` queries")
			f.Bool(&s.whole, "whole-addresses", "tell both whole addresses of clients, and not only their networks")
			f.Name(&s.cookies, "cookie-secrets", "`FILE` with secrets of cookies, for servers that answer at one address; it is read again when it changes")
			f.Bool(&s.replace, "replace", "take the place of the process that serves by the same --state, if there is one")
			f.String(&s.demand, "demand", "", "`N` requests a second that all clients make, for ceilings; default: unknown")
			f.Bool(&verbose, "verbose", "log more")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if s.geo == "" {
				return Usagef("--geo is needed: a geographic database in MaxMind's format (.mmdb)")
			}
			if s.sample < 1 {
				return Usagef("--sample %d: want 1 or more: one of so many queries is told", s.sample)
			}
			s.log = env.serviceLog(verbose)
			return serveDNS(ctx, env, s)
		},
	}
}

// dnsServing is what the flags said.
type dnsServing struct {
	network, geo, asn, listen, probe, state, demand string

	tls, https, cert, key, tsig, keys, nsid string

	unsigned []string // zones

	admin, queryLog, dnstap, cookies string
	sample                           int
	whole, replace                   bool

	log *slog.Logger
}

func serveDNS(ctx context.Context, env *Env, s dnsServing) (err error) {
	p := &place{dnsServing: s, env: env, started: time.Now()}
	if p.dir, err = s.stateDir(env); err != nil {
		return err
	}
	err = p.enter(ctx)
	defer func() { err = errors.Join(err, p.leave()) }()
	for again := true; again && err == nil; {
		again, err = p.serve(ctx)
	}
	if err != nil && p.legacy != nil {
		p.legacy.Fail(inFull(err))
	}
	return err
}

// inFull is an error with all faults of a file that it tells of.
func inFull(err error) error {
	if bad, ok := errors.AsType[*config.Error](err); ok {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(bad.Explain()))
	}
	return err
}

// serve answers until ctx ends or a successor does. Where that is gone at the
// last moment, it is to be called again.
func (p *place) serve(ctx context.Context) (again bool, err error) {
	file := &networkFile{env: p.env, name: p.network, prepare: p.prepare, log: p.log, state: p.dir, spare: p.legacy == nil}
	m, err := file.open(ctx)
	if err != nil {
		return false, err
	}
	cfg, err := p.config(file)
	if err != nil {
		return false, err
	}
	if cfg.Keep != nil {
		defer func() { err = errors.Join(err, cfg.Keep.Close()) }()
	}
	socks, err := p.open(ctx, p.held)
	if err != nil {
		return false, err
	}
	cfg.UDP, cfg.TCP, cfg.TLS, cfg.HTTPS = socks.udp, socks.tcp, socks.tls, socks.https
	cfg.Name = cmp.Or(p.nsid, nodeAt(m, socks.udp))
	d, err := node.NewDNS(cfg)
	if err == nil {
		err = p.worse(d.Lacking(m))
	}
	if err == nil {
		err = p.hold(socks)
	}
	if err != nil {
		return false, errors.Join(err, socks.close())
	}
	d.SetMap(m)
	return p.run(ctx, d, file, socks)
}

// run runs a name server and what belongs to it.
func (p *place) run(ctx context.Context, d *node.DNS, file *networkFile, socks *dnsSockets) (again bool, err error) {
	desk := p.newDesk(d, file)
	asking, close := context.WithCancel(ctx)
	answering, cease := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { file.follow(answering, d.SetMap) })
	var refused error
	beside.Go(func() {
		if refused = desk.run(asking, socks, cease); refused != nil {
			cease()
		}
	})
	err = d.RunAlone(answering)
	cease()
	again = desk.release(ctx)
	close()
	beside.Wait()
	return again, errors.Join(err, refused)
}

// tell prints what is answered, and where.
func (p *place) tell(socks *dnsSockets, m *landfall.Map) {
	told := ""
	for _, c := range socks.udp { // several at each address, one for each processor
		if at := c.LocalAddr().String(); at != told {
			told = at
			fmt.Fprintf(p.env.Stdout, "answering for %s on %s\n", strings.Join(zonesOf(m), ", "), at)
		}
	}
	for _, l := range socks.tls {
		fmt.Fprintf(p.env.Stdout, "answering by TLS on %v\n", l.Addr())
	}
	for _, l := range socks.https {
		fmt.Fprintf(p.env.Stdout, "answering by HTTPS on https://%v/dns-query\n", l.Addr())
	}
	for _, l := range socks.admin {
		fmt.Fprintf(p.env.Stdout, "metrics on http://%v/metrics\n", l.Addr())
	}
}

// config is what the flags say, but for the sockets.
func (p *place) config(file *networkFile) (cfg node.DNSConfig, err error) {
	cfg = node.DNSConfig{
		Version: "landfall " + version(), Probe: p.prober(file), Log: p.log, Cookies: node.CookieRoot(p.root),
		Tap: tap.Config{Sample: p.sample, Socket: p.dnstap, Whole: p.whole, Stdout: p.env.Stdout},
	}
	for _, name := range p.unsigned {
		if name, err = zoneName("--unsigned", name); err != nil {
			return cfg, err
		}
		cfg.Unsigned = append(cfg.Unsigned, name)
	}
	if p.keys != "" {
		cfg.Keys = keyring.Dir(p.env.Path(p.keys))
	}
	if cfg.Tap.File = p.queryLog; p.queryLog != "" && p.queryLog != "-" {
		cfg.Tap.File = p.env.Path(p.queryLog)
		if err := writable(cfg.Tap.File); err != nil {
			return cfg, fmt.Errorf("--query-log: %w", err)
		}
	}
	if p.cookies != "" {
		if cfg.Cookies, err = node.CookieFile(p.env.Path(p.cookies)); err != nil {
			return cfg, err
		}
	}
	if cfg.Demand, err = parseDemand(p.demand); err != nil {
		return cfg, err
	}
	if cfg.Certificate, cfg.Secrets, err = p.private(p.env); err != nil {
		return cfg, err
	}
	if cfg.Atlas, err = node.OpenAtlas(node.AtlasConfig{Sources: sources(p.env, p.geo, p.asn), Log: p.log}); err != nil {
		return cfg, err
	}
	if p.dir != "" {
		cfg.Keep, err = os.OpenRoot(p.dir)
	}
	return cfg, err
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
