package main

import (
	"context"
	"errors"
	"flag"
	"net/netip"
	"os"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/peers"
	"landfall/geodns"
	"landfall/geodns/dnssec"
	"landfall/geodns/locate"
	"landfall/geodns/packet"
	"landfall/geodns/resolver"
	"landfall/geodns/tap"
	"landfall/geodns/traffic"
	"landfall/geodns/zone"
)

// alone is the argument that makes this program the name server of the tree
// and nothing else, so that parts of it can be left out.
const alone = "serve-alone"

// plenty is a limit of answers that no load of ours reaches: it is counted,
// and nothing is held back.
const plenty = 10_000_000

// sampled is of how many queries the log gets one.
const sampled = 1000

// server is what there is of it.
type server struct {
	database string
	seed     uint64
	addr     string
	whole    bool   // all is switched on; else it has no limit, no name of its own and no log, and counts no clients
	signed   bool   // the zone is
	profile  string // the file for a profile of processor time; empty: none
}

// argv is the command of it.
func (s server) argv(self string) []string {
	return []string{
		self, alone, "-database", s.database, "-seed", strconv.FormatUint(s.seed, 10), "-addr", s.addr,
		"-whole=" + strconv.FormatBool(s.whole), "-signed=" + strconv.FormatBool(s.signed), "-profile", s.profile,
	}
}

func serveAlone(ctx context.Context, args []string) error {
	var s server
	fs := flag.NewFlagSet(alone, flag.ContinueOnError)
	fs.StringVar(&s.database, "database", "", "")
	fs.Uint64Var(&s.seed, "seed", 1, "")
	fs.StringVar(&s.addr, "addr", "", "")
	fs.BoolVar(&s.whole, "whole", false, "")
	fs.BoolVar(&s.signed, "signed", false, "")
	fs.StringVar(&s.profile, "profile", "", "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return s.run(ctx)
}

func (s server) run(ctx context.Context) error {
	w, err := atlas.New(s.seed)
	if err != nil {
		return err
	}
	c := geodns.Config{Rate: -1}
	if c.Atlas, err = locate.Open(locate.Sources{Places: s.database}, nil); err != nil {
		return err
	}
	if s.whole {
		c.Rate, c.NSID, c.Traffic, c.Resolvers = plenty, "fra1", traffic.New(), resolver.New()
		if c.Tap, err = tap.New(tap.Config{Sample: sampled, File: s.database + "-" + strconv.Itoa(os.Getpid()) + ".log"}); err != nil {
			return err
		}
	}
	addr, err := netip.ParseAddrPort(s.addr)
	if err != nil {
		return err
	}
	if c.UDP, err = packet.Listen(ctx, addr, 1); err != nil {
		return err
	}
	d, err := geodns.New(c)
	if err != nil {
		return errors.Join(err, c.UDP[0].Close())
	}
	m := w.Map(peers.Zone, peers.Host, 1)
	m.Records = append(m.Records, landfall.Record{Name: peers.Static, Type: "A", Data: peers.Fixed})
	d.SetMap(m)
	d.SetChallenges(nil)
	if s.signed {
		if err := sign(d); err != nil {
			return errors.Join(err, c.UDP[0].Close())
		}
	}
	return profiled(s.profile, func() error { return together(ctx, d, c) })
}

// together runs a server and what belongs to it.
func together(ctx context.Context, d *geodns.Server, c geodns.Config) error {
	var others sync.WaitGroup
	var failed error
	if c.Tap != nil {
		others.Go(func() { failed = c.Tap.Run(ctx) })
		others.Go(func() { age(ctx, c.Traffic) })
	}
	err := d.Run(ctx)
	others.Wait()
	return errors.Join(err, failed)
}

// sign signs the zone with new keys.
func sign(d *geodns.Server) error {
	ksk, err := dnssec.Generate(dnssec.KSK)
	if err != nil {
		return err
	}
	zsk, err := dnssec.Generate(dnssec.ZSK)
	if err != nil {
		return err
	}
	name, err := zone.ParseName(peers.Zone)
	if err != nil {
		return err
	}
	now := time.Now()
	keys, err := dnssec.Local(name, ksk, zsk, now, now.AddDate(0, 1, 0))
	if err != nil {
		return err
	}
	return d.SetKeys([]dnssec.Keys{keys})
}

// age lets counts age, as the program does.
func age(ctx context.Context, t *traffic.Counter) {
	each := time.NewTicker(time.Minute)
	defer each.Stop()
	for {
		t.Tick(time.Now())
		select {
		case <-each.C:
		case <-ctx.Done():
			return
		}
	}
}

// profiled calls f and writes where its processor time went.
func profiled(file string, f func() error) error {
	if file == "" {
		return f()
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}
