package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Before a stream is measured it is let run for a while, and pings last so
// long.
const (
	tunWarm = 500 * time.Millisecond
	tunPing = 2 * time.Second
)

// carried is what a path did.
type carried struct {
	kind         string
	rate         sample // Gbit/s
	tunnel, load sample // CPU-s per GB, both ends
	all          sample // the whole machine's
	p50, p99     sample // µs, of round trips
}

// meshTUN measures paths between two namespaces on one wire.
func meshTUN(ctx context.Context, o options, table, progress io.Writer) error {
	var all []*carried
	for _, kind := range []string{ourTUN, itsTUN, ourNetstack, itsNetstack, noTunnel} {
		if o.wants(kind) {
			all = append(all, &carried{kind: kind})
		}
	}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
		for i := range all {
			if err := all[(i+round)%len(all)].turn(ctx, o); err != nil {
				return err
			}
		}
	}
	return writeTUN(table, o, all)
}

// wants reports whether one of several things is to be measured.
func (o options) wants(name string) bool {
	return o.cases == "" || slices.Contains(strings.Split(o.cases, ";"), name)
}

// turn measures one path once, from its making.
func (c *carried) turn(ctx context.Context, o options) (err error) {
	rooms, err := newPair(ctx)
	if err != nil {
		return err
	}
	defer rooms.close()
	config := endConfig{Kind: c.kind, Wire: rooms.addrs(), Control: "cubic"}
	if c.kind == ourTUN || c.kind == ourNetstack {
		config.Profile = o.profile
	}
	r, err := newRig(ctx, rooms, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	a, err := r.load[0].tell(order{Do: "ping", For: tunPing})
	if err != nil {
		return err
	}
	c.p50.add(micro(a.Took[0]))
	c.p99.add(micro(a.Took[1]))
	if _, err := r.load[0].tell(order{Do: "bulk", For: o.turn + 2*tunWarm}); err != nil {
		return err
	}
	return c.watch(ctx, r, o.turn)
}

// watch measures while a stream goes on.
func (c *carried) watch(ctx context.Context, r *rig, lasts time.Duration) error {
	var at [2]snapshot
	var whole [2]time.Duration
	for i, wait := range []time.Duration{tunWarm, lasts} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if at[i], err = r.look(); err != nil {
			return err
		}
		if whole[i], err = used(); err != nil {
			return err
		}
	}
	first, last := at[0].load[1], at[1].load[1]
	got := float64(last.Got-first.Got) / 1e9
	if got == 0 {
		return fmt.Errorf("%s: nothing arrived", c.kind)
	}
	c.rate.add(8 * got / last.At.Sub(first.At).Seconds())
	c.tunnel.add(spentBy(at[0].tunnel, at[1].tunnel) / got)
	c.load.add(spentBy(at[0].load, at[1].load) / got)
	c.all.add((whole[1] - whole[0]).Seconds() / got)
	return nil
}

// spentBy is the processor time of some ends between two looks, in seconds.
func spentBy(from, to []seen) (sum float64) {
	for i := range from {
		sum += (to[i].CPU - from[i].CPU).Seconds()
	}
	return sum
}

func writeTUN(w io.Writer, o options, all []*carried) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "One TCP stream, and a 1 KB message to and fro, between two namespaces on one wire: medians of %d rounds of %v (smallest – largest)\n%s\n"+
		"Where TCP is the kernel's it is cubic on both ends. CPU-s per GB are those of both ends: of the tunnel where it is a process of its own, of the load\n"+
		"(with the tunnel where that is in the process), and of the whole machine, other people's included.\n\n", o.rounds, o.turn, machine(o.root))
	heading(&b, "path", "Gbit/s", "CPU-s/GB, tunnel", "CPU-s/GB, load", "CPU-s/GB, machine", "1 KB p50, µs", "1 KB p99, µs")
	of := map[string]*carried{}
	for _, c := range all {
		of[c.kind] = c
		tunnel := spread(c.tunnel, 2)
		if c.kind != ourTUN && c.kind != itsTUN {
			tunnel = "–"
		}
		cells(&b, c.kind, spread(c.rate, 2), tunnel, spread(c.load, 2), spread(c.all, 2), spread(c.p50, 0), spread(c.p99, 0))
	}
	fmt.Fprintln(&b)
	heading(&b, "aim, round by round", "measured", "wanted")
	if a, u := of[ourTUN], of[itsTUN]; a != nil && u != nil {
		cells(&b, "tun: CPU-s per GB, of upstream's", spread(ratios(a.tunnel, u.tunnel), 2), "at most 1.00")
		cells(&b, "tun: Gbit/s, of upstream's", spread(ratios(a.rate, u.rate), 2), "at least 1.00")
		cells(&b, "tun: 1 KB p50, of upstream's", spread(ratios(a.p50, u.p50), 2), "at most 1.00")
	}
	if a, u := of[ourNetstack], of[itsNetstack]; a != nil && u != nil {
		cells(&b, "netstack: CPU-s per GB, of upstream's", spread(ratios(a.load, u.load), 2), "")
		cells(&b, "netstack: Gbit/s, of upstream's", spread(ratios(a.rate, u.rate), 2), "")
		cells(&b, "netstack: 1 KB p50, of upstream's", spread(ratios(a.p50, u.p50), 2), "")
	}
	_, err := w.Write(b.Bytes())
	return err
}
