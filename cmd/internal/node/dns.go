package node

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/geodns"
	"landfall/geodns/challenge"
	"landfall/geodns/health"
	"landfall/geodns/locate"
)

// DNSConfig is what a DNS is made of.
type DNSConfig struct {
	Self  landfall.NodeID // empty: none of the map's nodes
	UDP   []*net.UDPConn
	TCP   []net.Listener
	Table *locate.Table
	// Probe tries whether an edge serves; nil takes all as up.
	Probe func(context.Context, landfall.Node) error
	// Challenges reaches the challenges of a node of the home region; nil:
	// nobody orders certificates, so that there are none.
	Challenges func(context.Context, landfall.NodeID) (net.Conn, error)
	Log        *slog.Logger
}

// DNS is a name server and the prober that tells it which edges may be named.
type DNS struct {
	server *geodns.Server
	prober *health.Prober // nil: all edges are taken as up
	down   atomic.Pointer[health.Down]

	challenges *challenge.Client // nil: there are none
}

// NewDNS checks the configuration.
func NewDNS(cfg DNSConfig) (*DNS, error) {
	d := &DNS{}
	var err error
	if d.server, err = geodns.New(geodns.Config{
		UDP: cfg.UDP, TCP: cfg.TCP, Locator: cfg.Table, NSID: string(cfg.Self), Log: cfg.Log,
	}); err != nil {
		return nil, err
	}
	if err := d.follow(cfg); err != nil || cfg.Probe == nil {
		return d, err
	}
	d.prober, err = health.New(health.Config{Self: cfg.Self, Log: cfg.Log, Probe: cfg.Probe, Changed: d.judged})
	return d, err
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

// judged hears each new verdict of the prober.
func (d *DNS) judged(down health.Down) {
	d.down.Store(&down)
	d.server.SetHealth(down)
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
	}
	if d.challenges != nil {
		d.challenges.SetMap(m)
	}
	d.server.SetMap(m)
}

// Run answers until ctx ends.
func (d *DNS) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var probing sync.WaitGroup
	defer probing.Wait()
	defer stop()
	if d.prober != nil {
		probing.Go(func() { d.prober.Run(ctx) })
	}
	if d.challenges != nil {
		probing.Go(func() { d.challenges.Run(ctx) })
	}
	return d.server.Run(ctx)
}

func (d *DNS) register(a *admin.Server) {
	a.Register("geodns", func() any { return d.server.Stats() })
	if d.challenges != nil {
		a.Register("challenge", func() any { return d.challenges.Stats() })
	}
	if d.prober != nil {
		a.Register("health", func() any { return d.prober.Stats() })
	}
}
