package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"landfall"
	"landfall/cmd/lab"
	"landfall/cmd/lab/fleet"
)

const (
	opsPage = "https://" + fleet.App + "/"
	opsTTL  = 5 * time.Second // of answers, while an edge dies
	opsUser = "user-nyc"
	victim  = "nyc1"
)

// operations are the figures of servers of their own: what an operator waits
// for, and what users do when a server dies.
type operations struct {
	invited sample // invite to being named in DNS
	first   sample // init to the first page from the second continent

	told   sample // the edge's program killed: until no name server names it
	cached sample // and until who knows one address only is served
	usual  sample // a page in Chromium
	second sample // the next one there, from the second address

	silentTold   sample // the same with a server that vanished
	silentCached sample
}

// ops measures them on namespaces.
func ops(ctx context.Context, o options, out, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "landfall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := o.fleet(ctx, dir, progress)
	if err != nil {
		return err
	}
	var f operations
	for i := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d: servers\n", i+1, o.rounds)
		c.Dir = filepath.Join(dir, fmt.Sprint("round", i))
		if err := f.round(ctx, c); err != nil {
			return err
		}
	}
	return f.write(out, machine(o.root), o.rounds)
}

// fleet finds the programs that servers run.
func (o options) fleet(ctx context.Context, dir string, progress io.Writer) (fleet.Config, error) {
	pebble, err := lab.PebbleBinary(ctx, filepath.Join(o.root, "bench"))
	if err != nil {
		return fleet.Config{}, err
	}
	if o.binary == "" {
		fmt.Fprintln(progress, "building landfall")
		bin, err := build(ctx, o.root, dir)
		if err != nil {
			return fleet.Config{}, err
		}
		return fleet.Config{Bin: dir, Pebble: pebble}, os.Symlink(bin, filepath.Join(dir, "landfall"))
	}
	bin, err := filepath.Abs(o.binary)
	if err != nil {
		return fleet.Config{}, err
	}
	return fleet.Config{Bin: dir, Pebble: pebble}, os.Symlink(bin, filepath.Join(dir, "landfall"))
}

// round is one network, from its founding to the death of two edges.
func (f *operations) round(ctx context.Context, c fleet.Config) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	net, err := fleet.Open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	stop, err := application(net)
	if err != nil {
		return err
	}
	defer stop()
	if err := f.grow(ctx, net); err != nil {
		return err
	}
	if err := f.kill(ctx, net); err != nil {
		return err
	}
	return f.vanish(ctx, net)
}

// application is a page at home.
func application(f *fleet.Fleet) (stop func(), err error) {
	l, err := f.On(fleet.Home).Listen("tcp", netip.MustParseAddrPort("127.0.0.1:3000"))
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>shop</title><p>open")
	})}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	return func() { srv.Close(); <-done }, nil
}

// grow founds the network and adds the other continents.
func (f *operations) grow(ctx context.Context, net *fleet.Fleet) error {
	start := time.Now()
	if err := net.Found(ctx); err != nil {
		return err
	}
	// Before any resolver has an answer: nothing older is to outlive it.
	if _, err := net.Apply(ctx, fmt.Sprintf("[steering]\nttl = %q\n", opsTTL)); err != nil {
		return err
	}
	for i, s := range fleet.Joiners() {
		user := fleet.Users()[i+1]
		invite := time.Now()
		if _, err := net.Join(ctx, s); err != nil {
			return err
		}
		if _, err := net.Named(ctx, s.Node, user); err != nil {
			return err
		}
		f.invited.add(time.Since(invite).Seconds())
		if i > 0 {
			continue
		}
		if _, _, err := net.Served(ctx, user, opsPage); err != nil {
			return err
		}
		f.first.add(time.Since(start).Seconds())
	}
	return net.Delegate(ctx)
}

// kill ends an edge's program while a browser and a resolver know it.
func (f *operations) kill(ctx context.Context, net *fleet.Fleet) error {
	// A name server that has just started names only what it has tried yet.
	if err := net.Knows(ctx, opsUser, landfall.DefaultAnswers); err != nil {
		return err
	}
	b, err := net.Host(opsUser).StartBrowser(ctx)
	if err != nil {
		return err
	}
	defer b.Kill()
	usual, err := b.Open(ctx, opsPage)
	if err != nil {
		return err
	}
	net.Running(victim).Kill()
	start := time.Now()
	second, err := b.Open(ctx, opsPage)
	if err != nil {
		return err
	}
	if err := f.wait(ctx, net, victim, opsUser, start, &f.told, &f.cached); err != nil {
		return err
	}
	f.usual.add(usual.Seconds())
	f.second.add(second.Seconds())
	if _, err := net.Start(ctx, victim); err != nil {
		return err
	}
	_, err = net.Named(ctx, victim, opsUser)
	return err
}

// vanish takes a server off the internet.
func (f *operations) vanish(ctx context.Context, net *fleet.Fleet) error {
	s, user := fleet.Joiners()[1].Node, fleet.Users()[2]
	if _, _, err := net.Served(ctx, user, opsPage); err != nil {
		return err
	}
	if err := net.On(s).Unplug(ctx); err != nil {
		return err
	}
	return f.wait(ctx, net, s, user, time.Now(), &f.silentTold, &f.silentCached)
}

// wait adds how long after a death name servers and users know of it. Both
// are waited for at once: a user's visits change nothing for name servers.
func (f *operations) wait(ctx context.Context, net *fleet.Fleet, node landfall.NodeID, user string, start time.Time, told, cached *sample) error {
	healed := make(chan error, 1)
	var served time.Duration
	go func() {
		err := net.Healed(ctx, user, opsPage)
		served = time.Since(start)
		healed <- err
	}()
	_, err := net.Unnamed(ctx, node, user, node)
	told.add(time.Since(start).Seconds())
	err = errors.Join(err, <-healed)
	cached.add(served.Seconds())
	return err
}

func (f *operations) write(w io.Writer, where string, rounds int) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Landfall on servers of its own: medians of %d rounds (smallest – largest)\n%s\n\n", rounds, where)
	row(&b, "invite to being named in DNS", f.invited, "s", 2, "at most 15 s")
	row(&b, "init to a page on 2 continents", f.first, "s", 2, "at most 60 s")
	fmt.Fprintln(&b)
	ttl := opsTTL.Seconds()
	row(&b, "edge killed: resolvers told", f.told, "s", 2, "at most 5 s")
	row(&b, "  one address known: served", f.cached, "s", 2, fmt.Sprintf("at most %.0f s: TTL and 5 s", ttl+5))
	row(&b, "  Chromium, second address", f.second, "s", 2, "at most 1 s")
	row(&b, "  Chromium before", f.usual, "s", 2, "")
	row(&b, "server silent: resolvers told", f.silentTold, "s", 2, "")
	row(&b, "  one address known: served", f.silentCached, "s", 2, "")
	fmt.Fprintf(&b, "\nMachine time: nobody types, reads or waits for a parent zone. Round trips: Frankfurt - New York 80 ms,\n"+
		"Frankfurt - Singapore 160 ms, New York - Singapore 230 ms, users 10 ms from their edge; TTL %v.\n", opsTTL)
	_, err := w.Write(b.Bytes())
	return err
}
