package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/certs"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/keyring"
	"landfall/geodns"
	"landfall/geodns/challenge"
	"landfall/geodns/health"
	"landfall/geodns/tap"
	"landfall/geodns/tsig"
)

// DNSConfig is what a DNS is made of.
type DNSConfig struct {
	Self landfall.NodeID // empty: none of the map's nodes
	// Name is told to who asks which server answered (RFC 5001); empty: Self.
	Name string
	UDP  []*net.UDPConn
	TCP  []net.Listener
	// TLS and HTTPS are listeners for queries that are encrypted; they need a
	// Certificate.
	TLS, HTTPS  []net.Listener
	Certificate *Certificate
	// Secrets are the keys of secondaries; nil: none.
	Secrets *tsig.Ring
	Version string // of the program
	// Cookies are where the secrets of cookies come from; nil: some are made up.
	Cookies *Cookies
	// Tap says where operators are told what is asked: its File and its Socket,
	// of how many, and whether with whole addresses. The rest is filled in.
	Tap tap.Config
	// Keys is a directory, or a bundle, of the keys of zones, which RunAlone
	// keeps; empty: the map brings keys, sealed to the node.
	Keys    keyring.Dir
	Sealing *certs.SealingPrivate // what they are sealed to
	// Unsigned are zones that may be answered unsigned although they were
	// answered signed before, as Keep remembers.
	Unsigned []string
	// Atlas says where clients are. Its owner runs it, or RunAlone does.
	Atlas *Atlas
	// Keep is a directory for what is learnt to outlive a restart; nil keeps
	// nothing. It stays the caller's, and nobody else writes to it.
	Keep *os.Root
	// Peer is the node that a request on the mesh comes from; nil where there
	// is no mesh, and nobody reports.
	Peer func(*http.Request) (landfall.NodeID, bool)
	// Demand is how many requests a second all clients make, where no edge
	// reports; 0 is unknown.
	Demand float64
	// Probe tries whether an edge serves; nil takes all as up.
	Probe func(context.Context, landfall.Node) error
	// Down are the edges that are down where nobody probes.
	Down map[landfall.NodeID]bool
	// Challenges reaches the challenges of a node of the home region; nil:
	// nobody orders certificates, so that there are none.
	Challenges func(context.Context, landfall.NodeID) (net.Conn, error)
	Log        *slog.Logger
}

// DNS is a name server and the prober that tells it which edges may be named.
type DNS struct {
	server *geodns.Server
	prober *health.Prober // nil: all edges are taken as up
	learn  *learner

	down    atomic.Pointer[health.Down]
	verdict chan struct{} // holds one if down has changed
	telling sync.Mutex    // held while the server is told of down

	challenges *challenge.Client // nil: there are none

	keys    dnsKeys
	cookies *Cookies
	tap     *tap.Tap // nil: nobody is told what is asked
	edges   atomic.Pointer[map[netip.Addr]landfall.NodeID]
	figures figures
	listens func() []string
	serving chan struct{} // closed when queries are about to be read
	mapped  chan struct{} // closed with the first map
	mapOnce sync.Once
	log     *slog.Logger
}

// NewDNS checks the configuration.
func NewDNS(cfg DNSConfig) (*DNS, error) {
	d := &DNS{
		verdict: make(chan struct{}, 1), serving: make(chan struct{}), mapped: make(chan struct{}),
		cookies: cfg.Cookies, listens: cfg.listens, log: cfg.Log,
	}
	if d.cookies == nil {
		d.cookies = CookieRoot(NewCookieRoot())
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if err = d.listenIn(cfg); err != nil {
		return nil, err
	}
	if d.learn, err = newLearner(cfg, d.edgeDown); err != nil {
		return nil, err
	}
	server := geodns.Config{
		UDP: cfg.UDP, TCP: cfg.TCP, TLS: cfg.TLS, HTTPS: cfg.HTTPS, Secrets: cfg.Secrets, Dial: dialFrom(cfg.UDP),
		Atlas: cfg.Atlas.Table(), Traffic: d.learn.traffic, Resolvers: d.learn.resolvers,
		NSID: cmp.Or(cfg.Name, string(cfg.Self)), Version: cfg.Version, Tap: d.tap, Log: cfg.Log,
	}
	if cfg.Certificate != nil {
		server.Certificate = cfg.Certificate.Get
	}
	if d.server, err = geodns.New(server); err != nil {
		return nil, err
	}
	d.server.SetCookies(d.cookies.now)
	d.figures.stats = d.server.Stats
	d.learn.server = d.server
	cfg.Atlas.Follow(d.server.SetAtlas)
	d.server.SetHealth(cfg.Down)
	if err := errors.Join(d.keep(cfg), d.follow(cfg)); err != nil || cfg.Probe == nil {
		return d, err
	}
	d.prober, err = health.New(health.Config{Self: cfg.Self, Log: cfg.Log, Probe: cfg.Probe, Changed: d.judged, Keep: cfg.Keep})
	return d, err
}

// listenIn lets operators hear what is asked, if they want to.
func (d *DNS) listenIn(cfg DNSConfig) (err error) {
	c := cfg.Tap
	if c.File == "" && c.Socket == "" {
		return nil
	}
	c.Edge = func(a netip.Addr) string {
		if edges := d.edges.Load(); edges != nil {
			return string((*edges)[a])
		}
		return ""
	}
	c.Identity, c.Version, c.Log = cmp.Or(c.Identity, cfg.Name, string(cfg.Self)), cfg.Version, cfg.Log
	d.tap, err = tap.New(c)
	return err
}

// follow keeps the challenges those of the issuer.
func (d *DNS) follow(cfg DNSConfig) (err error) {
	if cfg.Challenges == nil {
		d.server.SetChallenges(nil)
		return nil
	}
	d.challenges, err = challenge.NewClient(challenge.ClientConfig{
		Dial: cfg.Challenges, Apply: d.server.SetChallenges, Unknown: d.server.SetChallengesUnknown, Log: cfg.Log,
	})
	return err
}

// judged hears each new verdict of the prober, which does not wait for a plan
// to be made of it.
func (d *DNS) judged(down health.Down) {
	d.down.Store(&down)
	select {
	case d.verdict <- struct{}{}:
	default: // whoever is told of it will see this one
	}
}

// tell has answers go by the last verdict when it returns.
func (d *DNS) tell() {
	d.telling.Lock()
	defer d.telling.Unlock()
	if down := d.down.Load(); down != nil {
		d.server.SetHealth(*down)
	}
}

// obey keeps answers those of the last verdict until ctx ends.
func (d *DNS) obey(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.verdict:
			d.tell()
		}
	}
}

// edgeDown reports whether an edge is down by the last verdict.
func (d *DNS) edgeDown(id landfall.NodeID) bool {
	down := d.down.Load()
	return down != nil && (*down)[id]
}

// SetMap makes all answers from now on those of a map.
func (d *DNS) SetMap(m *landfall.Map) {
	if d.prober != nil {
		d.prober.SetMap(m) // first: newcomers are down until they answered
		d.tell()
	}
	d.learn.atlas.SetMap(m)
	d.learn.setMap(m)
	d.learn.apply()
	if d.challenges != nil {
		d.challenges.SetMap(m)
	}
	d.setKeys(m)
	d.server.SetMap(m)
	edges := map[netip.Addr]landfall.NodeID{}
	for e := range m.Having(landfall.RoleEdge) {
		for _, a := range e.Advertised {
			edges[a.Unmap()] = e.ID
		}
	}
	d.edges.Store(&edges)
	d.mapOnce.Do(func() { close(d.mapped) })
}

// Run answers until ctx ends. The first answer waits until there is a map, or
// hardly will be, until it is known which edges are up, and for what was learnt
// before; questions that come meanwhile stay in the sockets.
func (d *DNS) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var probing sync.WaitGroup
	defer probing.Wait()
	defer stop()
	hearing, deafen := context.WithCancel(context.WithoutCancel(ctx)) // to the last answer
	defer deafen()
	if d.tap != nil {
		probing.Go(func() {
			if err := d.tap.Run(hearing); err != nil {
				d.log.Warn("query log not closed", "err", err)
			}
		})
	}
	probing.Go(func() { d.cookies.run(ctx, d.log, d.server.SetCookies) })
	probing.Go(func() { d.figures.run(ctx) })
	probing.Go(func() { _ = d.learn.run(ctx) })
	if d.prober != nil {
		probing.Go(func() { d.prober.Run(ctx) })
		probing.Go(func() { d.obey(ctx) })
	}
	if d.challenges != nil {
		probing.Go(func() { d.challenges.Run(ctx) })
	}
	d.await(ctx)
	close(d.serving)
	return d.server.Run(ctx)
}

// Serving is closed when queries are about to be read. Run may be called once.
func (d *DNS) Serving() <-chan struct{} { return d.serving }

// Status is how the name server fares. Edges that are no longer in the map are
// left out, though they have been named of late.
func (d *DNS) Status() *admin.NameServer {
	s := d.figures.status()
	if m := d.learn.current(); m != nil {
		s.Edges = slices.DeleteFunc(s.Edges, func(e admin.EdgeShare) bool {
			_, known := m.Node(e.Edge)
			return !known
		})
	}
	s.Listens = d.listens()
	return s
}

// mapTime is how long queries wait for a first map. It is on disk, but for a
// node that has just joined; then they had better go to another name server.
const mapTime = 2 * time.Second

// await returns when answers can go by all that is known: by what was learnt
// before a restart, by which edges are up, and by a map.
func (d *DNS) await(ctx context.Context) {
	select {
	case <-d.learn.begun:
	case <-ctx.Done():
	}
	if d.prober != nil {
		select {
		case <-d.prober.Known():
			d.tell()
		case <-ctx.Done():
		}
	}
	select {
	case <-d.mapped:
	case <-ctx.Done():
	case <-time.After(mapTime):
	}
}

// RunAlone is Run for a name server outside any node, which looks after its
// databases as well.
func (d *DNS) RunAlone(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer stop()
	following.Go(func() { _ = d.learn.atlas.Run(ctx) })
	following.Go(func() { d.tendKeys(ctx) })
	return d.Run(ctx)
}

// Register adds all figures to the metrics.
func (d *DNS) Register(a *admin.Server) {
	a.Register("geodns", func() any { return d.server.Stats() })
	if d.keys.keeper != nil {
		a.Register("keys", func() any { return d.keys.keeper.Stats() })
	}
	a.Register("transfer", func() any { return d.server.TransferStats() })
	d.learn.register(a)
	if d.tap != nil {
		a.Register("tap", func() any { return d.tap.Stats() })
	}
	if d.challenges != nil {
		a.Register("challenge", func() any { return d.challenges.Stats() })
	}
	if d.prober != nil {
		a.Register("health", func() any { return d.prober.Stats() })
	}
}
