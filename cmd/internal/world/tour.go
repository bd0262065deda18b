package world

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// The tour's client, and how far it is from things. It asks for names as a
// resolver of its subnet would.
const (
	tourRegion = landfall.RegionID("nyc")
	tourLeg    = 10 * time.Millisecond // round trip from the client to the nodes of its region
	tourRounds = 5
	clientSite = wan.Site("a client in New York")
)

// tourSubnet is announced in the United States.
func tourSubnet() netip.Prefix { return netip.MustParsePrefix("198.32.0.0/24") }

// Report is what a tour measured.
type Report struct {
	Ready    time.Duration   // from the start of the process until all served
	Client   string          // where the client is
	Edge     landfall.NodeID // the edge that the name servers sent it to
	Home     landfall.NodeID // where it goes straight
	Straight time.Duration   // round trip from the client to home
	Leg      time.Duration   // round trip from the client to its edge
	Rounds   int             // of which the medians are reported
	Ocean    time.Duration   // round trip between the edge and home
	Server   time.Duration   // what one request for the page costs with no distance at all
	Steps    []Step
}

// Step is one thing a user does, both ways.
type Step struct {
	Name     string
	Straight Timing
	Edge     Timing
}

// Timing is the median of what was measured, and the least that the distance
// alone allows.
type Timing struct {
	Measured time.Duration
	Floor    time.Duration
}

// way is how the client reaches the service.
type way struct {
	addr netip.AddrPort
	leg  time.Duration // round trip to where TLS ends
	rest time.Duration // round trip from there to the origin
}

// floor is the least that a number of round trips to the end of TLS, the last
// of which goes on to the origin, can take.
func (w way) floor(trips int) time.Duration { return time.Duration(trips)*w.leg + w.rest }

// Tour lets a client in New York load the page cold and warm, post a message
// and receive one, straight to the origin's region and through its edge.
func (w *World) Tour(ctx context.Context) (*Report, error) {
	t := &tour{world: w, host: w.chatHost()}
	if err := t.findWays(ctx); err != nil {
		return nil, fmt.Errorf("tour: %w", err)
	}
	t.neighbour = w.client(t.straight.addr, nil)
	defer t.neighbour.CloseIdleConnections()
	r := &Report{
		Ready: w.readyAfter, Client: "New York", Edge: t.edgeNode, Home: t.homeNode,
		Straight: t.straight.leg, Leg: t.edge.leg, Rounds: tourRounds, Ocean: t.edge.rest,
	}
	server, err := t.serverTime(ctx)
	if err != nil {
		return nil, fmt.Errorf("tour: page with no distance: %w", err)
	}
	r.Server = server
	straight, edge := t.visit(t.straight), t.visit(t.edge)
	defer straight.leave()
	defer edge.leave()
	for _, s := range []struct {
		name  string
		run   func(*visit, context.Context) (time.Duration, error)
		floor func(way) time.Duration
	}{
		{"load the page, cold", (*visit).coldPage, func(w way) time.Duration { return w.floor(3) }}, // TCP, TLS 1.3, request
		{"load the page, warm", (*visit).page, func(w way) time.Duration { return w.floor(1) }},
		{"post a message", (*visit).post, func(w way) time.Duration { return w.floor(1) }},
		{"receive a message", (*visit).receive, func(w way) time.Duration { return w.floor(1) / 2 }},
	} {
		step := Step{Name: s.name}
		step.Straight.Floor, step.Edge.Floor = s.floor(t.straight), s.floor(t.edge)
		step.Straight.Measured, step.Edge.Measured, err = alternate(ctx, straight, edge, s.run)
		if err != nil {
			return nil, fmt.Errorf("tour: %s: %w", s.name, err)
		}
		r.Steps = append(r.Steps, step)
	}
	return r, nil
}

// alternate measures both ways in turn and returns the medians. What a step
// has to open first is opened by a round that does not count.
func alternate(ctx context.Context, straight, edge *visit, run func(*visit, context.Context) (time.Duration, error)) (a, b time.Duration, err error) {
	var as, bs []time.Duration
	for round := range tourRounds + 1 {
		da, err := run(straight, ctx)
		if err != nil {
			return 0, 0, fmt.Errorf("straight to %v: %w", straight.way.addr, err)
		}
		db, err := run(edge, ctx)
		if err != nil {
			return 0, 0, fmt.Errorf("through the edge at %v: %w", edge.way.addr, err)
		}
		if round > 0 {
			as, bs = append(as, da), append(bs, db)
		}
	}
	return median(as), median(bs), nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

type tour struct {
	world          *World
	host           string
	straight, edge way
	edgeNode       landfall.NodeID
	homeNode       landfall.NodeID
	neighbour      *http.Client // somebody next to the origin
}

// findWays asks the name server of the client's region which edge it should
// use, as a resolver there would, and looks the distances up.
func (t *tour) findWays(ctx context.Context) error {
	m := t.world.Map()
	dns, ok := firstIn(m, tourRegion, landfall.RoleDNS)
	if !ok {
		return fmt.Errorf("no name server in region %q", tourRegion)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	addrs, err := lookup(ctx, netip.AddrPortFrom(dns.Listens()[0], m.Ports.EffectiveDNS()), t.host, tourSubnet())
	if err != nil {
		return err
	}
	if len(addrs) == 0 {
		return fmt.Errorf("%s has no address for clients in %v", t.host, tourSubnet())
	}
	edge, ok := nodeAt(m, addrs[0])
	if !ok {
		return fmt.Errorf("%s is at %v for clients in %v, which is no node", t.host, addrs[0], tourSubnet())
	}
	home := m.Origins()[0]
	t.edgeNode, t.homeNode = edge.ID, home.ID
	t.straight = way{netip.AddrPortFrom(home.Listens()[0], m.Ports.EffectiveHTTPS()), t.world.fromClient(home.Region), 0}
	t.edge = way{netip.AddrPortFrom(addrs[0], m.Ports.EffectiveHTTPS()), t.world.fromClient(edge.Region), rtt(t.world.cfg.Ocean, edge.Region, home.Region)}
	if edge.Region == home.Region {
		return errors.New("the name servers sent a client in New York to the home region: its own edge is not up")
	}
	net := t.world.ocean
	return errors.Join(
		net.Connect(clientSite, site(home.Region), wan.Link{Delay: t.straight.leg / 2}),
		net.Connect(clientSite, site(edge.Region), wan.Link{Delay: t.edge.leg / 2}),
	)
}

// fromClient is the round trip from the client to a region: as far as from
// its own region's nodes, and the way to those.
func (w *World) fromClient(to landfall.RegionID) time.Duration {
	return tourLeg + rtt(w.cfg.Ocean, tourRegion, to)
}
