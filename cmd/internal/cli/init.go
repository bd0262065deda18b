package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/server"
)

type initFlags struct {
	dir, file                   string
	domain, region, node, place string
	roles                       string
	addresses, services         []string
	wireguard                   int
	geo, front                  string
	email, directory, rootsFile string
	agreed                      bool
}

func initCommand() Command {
	var f initFlags
	return Command{
		Path:  "init",
		Args:  "NAME",
		Short: "Found a network on this server, which becomes its home",
		Long: `Makes the network NAME: the key that signs its maps, this server's own keys,
its authority, its first map, and a network.toml in the working directory that
declares the rest and explains itself. Nothing is started: "landfall run" does
that, or "systemctl enable --now landfall" where the package is installed.

Behind NAT, give the address that users reach this server by with --address.
A service is HOST=UPSTREAM, such as app=http://127.0.0.1:3000; a HOST without a
dot is put under the domain.`,
		Flags: func(fs *Flags) {
			fs.String(&f.domain, "domain", "", "`ZONE` that the network answers for, such as edge.example.com")
			fs.String(&f.region, "region", "home", "id of the home `REGION`, such as fra")
			fs.String(&f.place, "place", "", "`LAT,LON` of the home region, such as 50.11,8.68")
			fs.String(&f.node, "node", "", "`NAME` of this server; default: the region's with a 1")
			fs.String(&f.roles, "roles", "origin,edge,dns", "what this server does: `ROLE,...`")
			fs.Strings(&f.addresses, "address", "public `ADDR` of this server; may be repeated; default: found out")
			fs.Strings(&f.services, "service", "`HOST=UPSTREAM` to serve; may be repeated")
			fs.Int(&f.wireguard, "wireguard-port", config.DefaultWireGuard, "UDP `PORT` of the mesh")
			fs.String(&f.front, "front", "", "what carries streams in the mesh: `FRONT` is auto, tun or netstack")
			fs.Name(&f.geo, "geo", "geographic database `FILE` in MaxMind's format")
			fs.Bool(&f.agreed, "acme-agree", "get certificates from a public authority, and agree to its terms of service")
			fs.String(&f.email, "acme-email", "", "`ADDRESS` that the authority may write to")
			fs.String(&f.directory, "acme-directory", "", "`URL` of the authority's directory; default: Let's Encrypt")
			fs.Name(&f.rootsFile, "acme-roots", "`FILE` with further certificates (PEM) to trust, for a staging or private authority")
			fs.Name(&f.file, "file", "write the network's description to `FILE`; default: network.toml")
			stateFlag(fs, &f.dir)
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			founding, err := f.founding(env, args[0])
			if err != nil {
				return err
			}
			m, err := server.Init(ctx, founding)
			if err != nil {
				return err
			}
			return f.explain(env, founding, m)
		},
	}
}

func (f initFlags) founding(env *Env, name string) (server.Founding, error) {
	out := server.Founding{
		Dir: stateDir(env, f.dir), File: env.Path("network.toml"), Node: landfall.NodeID(f.node), Geo: f.geo, Log: env.log(false),
		Map: &landfall.Map{Network: name, Domain: strings.TrimSuffix(f.domain, ".")},
	}
	if f.file != "" {
		out.File = env.Path(f.file)
	}
	if f.geo != "" {
		out.Geo = env.Path(f.geo)
	}
	if out.Node == "" {
		out.Node = landfall.NodeID(f.region + "1")
	}
	var errs []error
	if f.domain == "" {
		errs = append(errs, Usagef("which zone? Give it with --domain, such as --domain edge.example.com"))
	}
	home := landfall.Region{ID: landfall.RegionID(f.region), Home: true}
	var err error
	if f.place != "" {
		home.Place, err = landfall.ParsePlace(f.place)
		errs = append(errs, usage("--place", err))
	}
	out.Map.Regions = []landfall.Region{home}
	out.Roles, err = parseRoles(f.roles)
	errs = append(errs, usage("--roles", err))
	if err == nil && !slices.Contains(out.Roles, landfall.RoleOrigin) {
		errs = append(errs, Usagef("--roles %s: the first server is the home of the network: it has the role origin", f.roles))
	}
	out.Addresses, err = parseAddresses(f.addresses)
	errs = append(errs, usage("--address", err))
	for _, s := range f.services {
		service, err := parseService(s, out.Map.Domain)
		errs = append(errs, usage("--service", err))
		out.Map.Services = append(out.Map.Services, service)
	}
	out.WireGuard, err = parsePort(f.wireguard)
	errs = append(errs, usage("--wireguard-port", err))
	out.Front, err = parseFront(f.front)
	errs = append(errs, usage("--front", err))
	out.Map.ACME, err = f.acme(env)
	errs = append(errs, err)
	return out, errors.Join(errs...)
}

func (f initFlags) acme(env *Env) (landfall.ACME, error) {
	a := landfall.ACME{Agreed: f.agreed, Email: f.email, Directory: f.directory}
	if f.rootsFile != "" {
		b, err := readFile(env, f.rootsFile)
		if err != nil {
			return a, fmt.Errorf("--acme-roots: %w", err)
		}
		a.Roots = string(b)
	}
	if !a.Agreed && a != (landfall.ACME{}) {
		return a, Usagef("an authority signs for those who agree to its terms of service: add --acme-agree")
	}
	return a, nil
}

// usage marks a fault of a flag's value; of nil it makes nil.
func usage(flag string, err error) error {
	if err == nil {
		return nil
	}
	return Usagef("%s: %v", flag, err)
}

// parseAddresses reads addresses without ports.
func parseAddresses(given []string) (out []netip.Addr, err error) {
	for _, s := range given {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("%s: want an IP address such as 192.0.2.1, without a port", s)
		}
		out = append(out, a)
	}
	return out, nil
}

func parsePort(n int) (uint16, error) {
	if n < 1 || n > 65535 {
		return 0, fmt.Errorf("%d: a port is a number from 1 to 65535", n)
	}
	return uint16(n), nil
}

// parseFront reads what stands in node.toml as front.
func parseFront(s string) (string, error) {
	if s == "" || slices.Contains(config.Fronts(), s) {
		return s, nil
	}
	if meant, ok := config.Nearest(s, config.Fronts()); ok {
		return "", fmt.Errorf("there is no front %q; did you mean %q?", s, meant)
	}
	return "", fmt.Errorf("there is no front %q (want one of %s)", s, strings.Join(config.Fronts(), ", "))
}

// parseRoles reads "edge,dns".
func parseRoles(s string) ([]landfall.Role, error) {
	var out []landfall.Role
	for word := range strings.SplitSeq(s, ",") {
		r := landfall.Role(strings.TrimSpace(word))
		if !slices.Contains(landfall.Roles(), r) {
			var known []string
			for _, k := range landfall.Roles() {
				known = append(known, string(k))
			}
			if meant, ok := config.Nearest(string(r), known); ok {
				return nil, fmt.Errorf("there is no role %q; did you mean %q?", r, meant)
			}
			return nil, fmt.Errorf("there is no role %q (want some of %s, with commas)", r, strings.Join(known, ", "))
		}
		out = append(out, r)
	}
	return out, nil
}

// parseService reads HOST=UPSTREAM.
func parseService(s, domain string) (landfall.Service, error) {
	host, upstream, ok := strings.Cut(s, "=")
	if !ok || host == "" || upstream == "" {
		return landfall.Service{}, fmt.Errorf("%q: want HOST=UPSTREAM, such as app=http://127.0.0.1:3000", s)
	}
	if !strings.Contains(host, ".") {
		host += "." + domain
	}
	service := landfall.Service{Host: host, Upstream: upstream, External: !landfall.InZone(host, domain)}
	if u, err := url.Parse(upstream); err == nil && u.Scheme == "tcp" {
		service.Kind = landfall.TCP
	}
	return service, nil
}

// explainInit says what was made, and what comes next.
func (f initFlags) explain(env *Env, done server.Founding, m *landfall.Map) error {
	home, _ := m.Home()
	self, _ := m.Node(done.Node)
	p := &printer{out: env.Stdout}
	p.line("network %s is founded: map serial %d", m.Network, m.Serial)
	p.line("  this server  %s in region %s: %s, at %s", self.ID, home.ID, roles(self.Roles), addresses(self.Advertised))
	if len(self.Bound) > 0 {
		p.line("  behind NAT   it listens on %s", addresses(self.Bound))
	}
	p.line("  state        %s; the key that signs maps is %s/control/map.key: keep a copy off this server", done.Dir, done.Dir)
	p.line("  description  %s: keep it under version control", done.File)
	if home.Place == (landfall.Place{}) {
		p.line("  no place     nobody said where region %s is: write its place into %s and apply it", home.ID, done.File)
	}
	if !m.ACME.Agreed {
		p.line("  certificates by the network's own authority, which browsers do not know; [acme] in %s asks a public one", done.File)
	}
	f.next(p, env, done, m)
	return p.err
}

// next says what to type next, as it has to be typed here.
func (f initFlags) next(p *printer, env *Env, done server.Founding, m *landfall.Map) {
	program, dir, file := env.program(), "", ""
	start := "systemctl enable --now landfall     (without systemd: " + program + " run)"
	if done.Dir != stateDir(env, "") {
		dir = " --dir " + done.Dir
		start = program + " run" + dir
	}
	if done.File != env.Path("network.toml") {
		file = " " + done.File
	}
	p.line("")
	p.line("Start it:           %s", start)
	if lines := server.DelegationLines(m); lines != "" {
		p.line("The zone above %s has to say where its name servers are:", m.Domain)
		p.block(lines)
	} else {
		p.line("No name server yet: invite one with the role dns; until then nobody finds %s", m.Domain)
	}
	if len(m.Services) == 0 {
		p.line("Say what to serve:  edit %s, then %s map apply%s%s", done.File, program, file, dir)
	}
	p.line("Add a region:       %s invite nyc1 --region nyc --place 40.71,-74.01 --roles edge,dns%s", program, dir)
	p.line("See that all is well: %s doctor%s", program, dir)
}
