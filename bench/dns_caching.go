package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"landfall/bench/atlas"
	"landfall/bench/ecs"
	"landfall/bench/peers"
)

// strangers is the share of clients whom the database does not know, in the
// second draw.
const strangers = 0.001

// inFlight is how many clients wait for the resolver at any time. Those of the
// second draw come one after the other: an answer on its way to unbound when
// another for everybody arrives undoes that one, by accident.
const inFlight = 64

// crowd are clients drawn by address space.
type crowd struct {
	clients []uint32 // /24s, by their first 24 bits
	truth   atlas.Truth
	least   int // prefixes that the best name server is asked about
}

// newCrowd draws clients, a share of them among the addresses that nobody
// knows a place of, and counts the prefixes they live in.
func newCrowd(w *atlas.World, n int, unplaced float64) *crowd {
	c := &crowd{}
	truth, kept := w.Truth()
	c.truth = truth
	placed, rest := w.Clients()
	r := rand.New(rand.NewPCG(w.Seed, 7))
	touched := make([]bool, len(kept))
	for range n {
		among := placed
		if r.Float64() < unplaced {
			among = rest
		}
		client := among[r.IntN(len(among))]
		c.clients = append(c.clients, client)
		if p := kept[client]; !touched[p] {
			touched[p] = true
			c.least++
		}
	}
	return c
}

func (c *crowd) prefix(i int) netip.Prefix {
	a := c.clients[i]
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(a >> 16), byte(a >> 8), byte(a)}), 24)
}

// cached is what one server's answers were worth behind a resolver.
type cached struct {
	upstream  sample // questions that came to the name server
	wrong     sample // clients who were told another edge than the nearest
	ratio     sample // upstream, of the least possible
	took      sample // seconds
	truncated uint64
	again     int
}

// dnsCaching measures how well a resolver can cache answers, and how many of
// its clients are told wrong: once with clients whom the database knows, and
// once, a tenth of them, with some whom it does not.
func dnsCaching(ctx context.Context, o options, table, progress io.Writer) error {
	known, mixed := newCaching("clients whom the database knows", o.clients, inFlight), newCaching("clients, one in a thousand unknown", o.clients/10, 1)
	err := o.eachWorld(progress, func(s peers.Site) error {
		if err := o.program(ctx, &s, progress); err != nil {
			return err
		}
		if err := known.world(ctx, s, newCrowd(s.World, known.clients, 0), progress); err != nil {
			return err
		}
		return mixed.world(ctx, s, newCrowd(s.World, mixed.clients, strangers), progress)
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Answers behind a caching resolver: medians of %d worlds (smallest – largest)\n%s\n", o.worlds, machine(o.root))
	known.write(&b)
	mixed.write(&b)
	_, err = table.Write(b.Bytes())
	return err
}

// caching is one draw of clients, asking every kind of server.
type caching struct {
	who     string
	clients int
	flight  int
	least   sample
	results []cached
}

func newCaching(who string, clients, flight int) *caching {
	return &caching{who: who, clients: clients, flight: flight, results: make([]cached, len(peers.Kinds()))}
}

func (c *caching) world(ctx context.Context, s peers.Site, clients *crowd, progress io.Writer) error {
	c.least.add(float64(clients.least))
	kinds := peers.Kinds()
	for i := range kinds {
		k := (i + int(s.World.Seed)) % len(kinds) // they take turns in being the first
		fmt.Fprintf(progress, "world %d: %d %s: %s\n", s.World.Seed, c.clients, c.who, kinds[k].Name)
		if err := c.results[k].measure(ctx, s, kinds[k], clients, c.flight); err != nil {
			return fmt.Errorf("%s: %w", kinds[k].Name, err)
		}
	}
	return nil
}

func (c *caching) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n%d %s\n\n", c.clients, c.who)
	row(b, "least possible upstream queries", c.least, "", 0, "")
	for k, r := range c.results {
		aim, right := "", ""
		if k == 0 {
			aim, right = "at most 1.01", "0"
		}
		row(b, peers.Kinds()[k].Name+": upstream", r.upstream, "", 0, "")
		row(b, "  of the least possible", r.ratio, "", 4, aim)
		row(b, "  clients told wrong", r.wrong, "", 0, right)
		row(b, "  all of it took", r.took, "s", 1, "")
		if r.truncated > 0 || r.again > 0 {
			fmt.Fprintf(b, "  disturbed: %d answers truncated, %d questions asked again\n", r.truncated, r.again)
		}
	}
}

func (r *cached) measure(ctx context.Context, s peers.Site, k peers.Kind, c *crowd, flight int) (err error) {
	server, err := k.Start(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	name := ecs.ParseName(peers.Host)
	relay, err := ecs.NewRelay(server.Addr, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, relay.Close()) }()
	unbound, err := peers.Unbound(ctx, s, relay.Addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unbound.Stop()) }()

	before, wrong := relay.Asked(), 0
	begun := time.Now()
	again, err := ecs.Load{
		Server: unbound.Addr, Name: name, Count: len(c.clients), Flight: flight, Client: c.prefix,
		Got: func(i int, a ecs.Answer) {
			if a.Addr != s.World.Edges[c.truth[c.clients[i]]].Addr {
				wrong++
			}
		},
	}.Run(ctx)
	if err != nil {
		return err
	}
	asked := float64(relay.Asked() - before)
	r.took.add(time.Since(begun).Seconds())
	r.upstream.add(asked)
	r.ratio.add(asked / float64(c.least))
	r.wrong.add(float64(wrong))
	r.truncated += relay.Truncated()
	r.again += again
	return nil
}
