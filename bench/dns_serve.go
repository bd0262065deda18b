package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/netip"
	"os"
	"runtime/pprof"
	"strconv"
	"time"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/peers"
	"landfall/geodns"
	"landfall/geodns/dnssec"
	"landfall/geodns/locate"
	"landfall/geodns/traffic"
	"landfall/geodns/zone"
)

// alone is the argument that makes this program the name server of the tree
// and nothing else, so that parts of it can be left out.
const alone = "serve-alone"

// server is what there is of it.
type server struct {
	database string
	seed     uint64
	addr     string
	rate     int    // answers of a kind a second for a network; less than 0: no limit
	nsid     string // empty: none
	count    bool   // where queries come from
	signed   bool   // the zone is
	profile  string // the file for a profile of processor time; empty: none
}

// argv is the command of it.
func (s server) argv(self string) []string {
	return []string{
		self, alone, "-database", s.database, "-seed", strconv.FormatUint(s.seed, 10), "-addr", s.addr,
		"-rate", strconv.Itoa(s.rate), "-nsid", s.nsid, "-count=" + strconv.FormatBool(s.count), "-signed=" + strconv.FormatBool(s.signed), "-profile", s.profile,
	}
}

func serveAlone(ctx context.Context, args []string) error {
	var s server
	fs := flag.NewFlagSet(alone, flag.ContinueOnError)
	fs.StringVar(&s.database, "database", "", "")
	fs.Uint64Var(&s.seed, "seed", 1, "")
	fs.StringVar(&s.addr, "addr", "", "")
	fs.IntVar(&s.rate, "rate", -1, "")
	fs.StringVar(&s.nsid, "nsid", "", "")
	fs.BoolVar(&s.count, "count", false, "")
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
	a, err := locate.Open(locate.Sources{Places: s.database}, nil)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddrPort(s.addr)
	if err != nil {
		return err
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	c := geodns.Config{UDP: []*net.UDPConn{conn}, Atlas: a, Rate: s.rate, NSID: s.nsid}
	if s.count {
		c.Traffic = traffic.New()
	}
	d, err := geodns.New(c)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	m := w.Map(peers.Zone, peers.Host, 1)
	m.Records = append(m.Records, landfall.Record{Name: peers.Static, Type: "A", Data: peers.Fixed})
	d.SetMap(m)
	d.SetChallenges(nil)
	if s.signed {
		if err := sign(d); err != nil {
			return err
		}
	}
	return profiled(s.profile, func() error {
		counted := make(chan struct{})
		go func() { defer close(counted); age(ctx, c.Traffic) }()
		err := d.Run(ctx)
		<-counted
		return err
	})
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
	if t == nil {
		return
	}
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
