package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
)

// patience bounds each check.
const patience = 20 * time.Second

// Config is what a doctor is told. What is left out is not examined.
type Config struct {
	// Map is the newest map of the node, and Self the node. Required.
	Map  *landfall.Map
	Self landfall.NodeID

	// Dir is the state directory, and State what opening it said if that
	// failed.
	Dir   string
	State error

	// Resolvers are who to ask about names as users do, best first; see
	// ParseResolvers.
	Resolvers []netip.AddrPort

	// Overview tells what the nodes say of themselves.
	Overview func(context.Context) admin.Overview
	// Reports asks each other node of the map what it can reach of this one
	// (Reach), over the mesh.
	Reports func(context.Context) []Report

	// Front examines what streams of the mesh are made of.
	Front func(context.Context) *admin.Mesh

	// Certificates are those of this node, or of the fleet at home; Complete
	// says that there should be one for every host.
	Certificates []admin.Certificate
	Complete     bool

	// Geography is how the node knows where addresses are.
	Geography *Geography

	// Proc is the file system of the kernel; nil means /proc.
	Proc fs.FS
	// Now tells the time; nil means time.Now.
	Now func() time.Time

	dnsPort uint16 // of name servers that are not ours; 0 means 53
}

// patient is a Config and what several checks need of it.
type patient struct {
	Config
	self    landfall.Node
	ask     asker
	acme    authority
	reports []Report

	overview          admin.Overview
	asked, overviewed time.Time // when the overview was asked for, and there
}

// check is one thing to look at.
type check struct {
	name string
	run  func(*patient, context.Context, *notes)
}

// checks are all of them, in the order in which they are told: from the
// machine outwards.
func checks() []check {
	return []check{
		{"state", (*patient).state},
		{"disk", (*patient).disk},
		{"limits", (*patient).limits},
		{"kernel", (*patient).kernel},
		{"clock", (*patient).clocks},
		{"geography", (*patient).geography},
		{"front", (*patient).front},
		{"mesh", (*patient).mesh},
		{"mtu", (*patient).mtu},
		{"reach", (*patient).reached},
		{"name servers", (*patient).nameServers},
		{"delegation", (*patient).delegation},
		{"aliases", (*patient).aliases},
		{"authority", (*patient).authority},
		{"caa", (*patient).caa},
		{"certificates", (*patient).certificates},
		{"upstreams", (*patient).upstreams},
	}
}

// Examine looks at everything that cfg gives a view of, and tells what it
// found in a stable order. It takes as long as the slowest answer, which it
// waits for twenty seconds at most, twice.
func Examine(ctx context.Context, cfg Config) []Finding {
	p := &patient{Config: cfg, ask: asker{port: cmp.Or(cfg.dnsPort, 53)}}
	if p.Proc == nil {
		p.Proc = os.DirFS("/proc")
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	var known bool
	if cfg.Map != nil {
		p.self, known = cfg.Map.Node(cfg.Self)
	}
	if !known {
		n := notes{check: "map"}
		n.fail("landfall status", "the map has no node %q: it never joined, or was removed", cfg.Self)
		return n.list
	}
	p.look(ctx)
	return p.examine(ctx)
}

// look asks what several checks judge.
func (p *patient) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asking sync.WaitGroup
	asking.Go(func() {
		if p.Reports != nil {
			p.reports = p.Reports(ctx)
			slices.SortFunc(p.reports, func(a, b Report) int { return cmp.Compare(a.From, b.From) })
		}
	})
	asking.Go(func() {
		if p.Overview != nil {
			p.asked = p.Now()
			p.overview = p.Overview(ctx)
			p.overviewed = p.Now()
		}
	})
	asking.Go(func() {
		if p.Map.ACME.Agreed && p.self.Has(landfall.RoleOrigin) {
			p.acme = fetchAuthority(ctx, p.Map.ACME, p.Now)
		}
	})
	asking.Wait()
}

func (p *patient) examine(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all := checks()
	found := make([]notes, len(all))
	var looking sync.WaitGroup
	for i, c := range all {
		found[i].check = c.name
		looking.Go(func() { c.run(p, ctx, &found[i]) })
	}
	looking.Wait()
	var out []Finding
	for _, n := range found {
		out = append(out, n.list...)
	}
	return out
}

// roots are those that the map's authority is vouched for by: the system's
// and the map's own.
func roots(a landfall.ACME) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM([]byte(a.Roots))
	return pool
}
