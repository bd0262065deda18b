package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"landfall/bench/load"
	"landfall/bench/peers"
)

// How answers are timed: so many questions a second, one by one, and each turn
// so long.
const (
	paceRate    = 10_000
	paceFor     = 8 * time.Second
	paceSockets = 4
	paceWindow  = 2048 // more than a fifth of a second's: the pace holds
)

// paced is what one server did at a steady pace.
type paced struct {
	name              string
	median, p99, p999 sample // µs
	cost              sample // CPU-s per million answers
	rss               sample // MB, after its turn
	lost, wrong       uint64
}

// dnsLatency measures how long answers take at a steady pace, and what memory
// a name server has after it.
func dnsLatency(ctx context.Context, o options, table, progress io.Writer) error {
	return makeWorld(1, func(s peers.Site) (err error) {
		if err := o.program(ctx, &s, progress); err != nil {
			return err
		}
		servers, err := start(ctx, s, []peers.Kind{{Name: ours, Start: peers.Landfall}, {Name: gdnsd, Start: peers.GDNSD}}, progress)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, servers.stop()) }()
		all := []*paced{{name: ours}, {name: gdnsd}}
		for round := range o.rounds {
			fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
			for i := range all {
				if err := all[(i+round)%len(all)].turn(ctx, servers, steadily(s)); err != nil {
					return err
				}
			}
		}
		return o.writeLatency(ctx, table, len(s.World.IPv4), all)
	})
}

// steadily is what is asked: with a cookie, as resolvers have one after their
// first question.
func steadily(s peers.Site) *contest {
	return &contest{name: "geo, cookie", cookie: true, queries: byPlace(s.World)}
}

func (p *paced) turn(ctx context.Context, servers running, c *contest) error {
	server := servers[p.name]
	queries, err := c.ask(server.Addr)
	if err != nil {
		return err
	}
	t, err := hit(ctx, server, load.Load{
		Queries: queries, Sockets: paceSockets, Window: paceWindow, Every: 1, Rate: paceRate, For: paceFor,
	})
	if err != nil {
		return err
	}
	memory, err := memory(server.PID())
	if err != nil {
		return err
	}
	slices.Sort(t.saw.Took)
	p.median.add(at(t.saw.Took, 0.5))
	p.p99.add(at(t.saw.Took, 0.99))
	p.p999.add(at(t.saw.Took, 0.999))
	p.cost.add(t.cost)
	p.rss.add(float64(memory.rss) / 1e6)
	p.lost, p.wrong = p.lost+t.saw.Lost, p.wrong+t.saw.Wrong
	return nil
}

// at is how long the given share of answers took at most, in µs.
func at(took []time.Duration, share float64) float64 {
	return micro(took[min(int(share*float64(len(took))), len(took)-1)])
}

func (o options) writeLatency(ctx context.Context, w io.Writer, leaves int, all []*paced) error {
	versions, err := peers.Versions(ctx, "gdnsd")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Answers at %d questions a second, by place, with a cookie, of %d leaves: medians of %d rounds of %v (smallest – largest)\n%s\n%s\n\n",
		paceRate, leaves, o.rounds, paceFor, machine(o.root), versions)
	heading(&b, "server", "median, µs", "p99, µs", "p99.9, µs", "CPU-s per million", "RSS after it, MB", "lost", "wrong")
	for _, p := range all {
		cells(&b, p.name, spread(p.median, 0), spread(p.p99, 0), spread(p.p999, 0), spread(p.cost, 2), spread(p.rss, 1), fmt.Sprint(p.lost), fmt.Sprint(p.wrong))
	}
	fmt.Fprintln(&b)
	ours, theirs := all[0], all[1]
	heading(&b, "aim", "measured", "wanted")
	cells(&b, "p99, of gdnsd's", spread(ratios(ours.p99, theirs.p99), 2), "at most 1.10")
	cells(&b, "resident, MB", spread(ours.rss, 1), "at most 60")
	_, err = w.Write(b.Bytes())
	return err
}

// ratios are those of two samples, round by round.
func ratios(a, b sample) (out sample) {
	for i := range min(len(a), len(b)) {
		out.add(a[i] / b[i])
	}
	return out
}
