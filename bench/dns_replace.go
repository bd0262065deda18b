package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"landfall/bench/load"
	"landfall/bench/peers"
)

// How a server is replaced: so often, for so long, while it answers this share
// of what it can.
const (
	replaceEach  = time.Second
	replaceFor   = 30 * time.Second
	replaceShare = 0.7
)

// replaceWindow is how many questions of a socket may wait: those of a pause
// of a tenth of a second and more, at any speed we have seen.
const replaceWindow = 4096

// replaced is what became of questions meanwhile.
type replaced struct {
	name  string
	kind  peers.Replaceable
	alone bool // it is not: what others on the machine do to it

	times        sample // it was
	rate         sample // thousands of questions a second
	asked        sample // millions of questions
	lost, wrong  sample
	p99, longest sample // ms, of the answers that are timed
}

// dnsReplace measures how many questions are lost while a name server is
// replaced by itself again and again.
func dnsReplace(ctx context.Context, o options, table, progress io.Writer) error {
	return makeWorld(1, func(s peers.Site) error {
		if err := o.program(ctx, &s, progress); err != nil {
			return err
		}
		var all []*replaced
		for _, k := range peers.Replaceables() {
			all = append(all, &replaced{name: k.Name, kind: k}, &replaced{name: k.Name + ", left alone", kind: k, alone: true})
		}
		for round := range o.rounds {
			for _, r := range all {
				fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, o.rounds, r.name)
				if err := r.measure(ctx, o, s); err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
			}
		}
		return o.writeReplaced(ctx, table, all)
	})
}

func (r *replaced) measure(ctx context.Context, o options, s peers.Site) (err error) {
	k := r.kind
	servers, err := start(ctx, s, []peers.Kind{k.Kind}, io.Discard)
	if err != nil {
		return err
	}
	// Whoever answers in the end is no child of ours.
	defer func() { err = errors.Join(err, k.End(ctx, s), servers.stop()) }()
	server := servers[k.Name]
	queries, err := steadily(s).ask(server.Addr)
	if err != nil {
		return err
	}
	l := load.Load{Server: server.Addr, Queries: queries, Sockets: speedSockets, Window: speedWindow, Every: speedEvery, For: o.turn}
	t, err := hit(ctx, server, l)
	if err != nil {
		return err
	}
	l.Window, l.For, l.Rate = replaceWindow, replaceFor, int(replaceShare*t.speed)
	saw, times, err := r.replacing(ctx, s, l)
	if err != nil {
		return err
	}
	r.add(l.Rate, times, saw)
	return nil
}

// replacing replaces a server until the load has had its time.
func (r *replaced) replacing(ctx context.Context, s peers.Site, l load.Load) (saw load.Saw, times int, err error) {
	self, err := os.Executable()
	if err != nil {
		return saw, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var failed error
	go func() {
		defer close(done)
		saw, failed = l.Apart(ctx, loadCore, self, loader)
	}()
	if !r.alone {
		times, err = r.replaceUntil(ctx, done, s)
		cancel()
	}
	<-done
	return saw, times, cmp.Or(err, failed)
}

func (r *replaced) replaceUntil(ctx context.Context, done <-chan struct{}, s peers.Site) (times int, err error) {
	each := time.NewTicker(replaceEach)
	defer each.Stop()
	for {
		select {
		case <-done:
			return times, nil
		case <-each.C:
		}
		if err := load.Pin(serverCore, func() error { return r.kind.Replace(ctx, s) }); err != nil {
			return times, err
		}
		times++
	}
}

func (r *replaced) add(rate, times int, saw load.Saw) {
	slices.Sort(saw.Took)
	r.rate.add(float64(rate) / 1e3)
	r.times.add(float64(times))
	r.asked.add(float64(saw.Sent) / 1e6)
	r.lost.add(float64(saw.Lost))
	r.wrong.add(float64(saw.Wrong))
	r.p99.add(at(saw.Took, 0.99) / 1e3)
	r.longest.add(at(saw.Took, 1) / 1e3)
}

func (o options) writeReplaced(ctx context.Context, w io.Writer, all []*replaced) error {
	versions, err := peers.Versions(ctx, "gdnsd")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Servers that are replaced each %v for %v, at %.0f %% of what they can answer: medians of %d rounds (smallest – largest)\n%s\n%s\n\n",
		replaceEach, replaceFor, 100*replaceShare, o.rounds, machine(o.root), versions)
	heading(&b, "server", "times", "questions/s, thousands", "asked, millions", "lost", "wrong", "p99, ms", "longest, ms")
	for _, r := range all {
		cells(&b, r.name, spread(r.times, 0), spread(r.rate, 0), spread(r.asked, 2), spread(r.lost, 0), spread(r.wrong, 0), spread(r.p99, 2), spread(r.longest, 1))
	}
	fmt.Fprintf(&b, "\nWanted of landfall: none lost.\n")
	_, err = w.Write(b.Bytes())
	return err
}
