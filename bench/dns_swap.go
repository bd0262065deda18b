package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"landfall/bench/atlas"
	"landfall/bench/ecs"
	"landfall/bench/peers"
	"landfall/geodns"
	"landfall/geodns/locate"
)

// swapper is the argument that makes this program a name server which makes
// its plan anew from the database, and swaps it, again and again.
const swapper = "serve-swapping"

const (
	swapRate = 4000 // questions a second
	swapFor  = 8 * time.Second
	swapEach = time.Second
)

// swaps are how long answers take.
type swaps struct{ median, p99, p999, lost sample }

// dnsSwap measures how answers feel it that the plan behind them changes.
func dnsSwap(ctx context.Context, o options, table, progress io.Writer) error {
	var still, swapping swaps
	err := makeWorld(1, func(s peers.Site) error {
		crowd := newCrowd(s.World, swapRate*int(swapFor/time.Second), 0)
		for i := range o.rounds {
			fmt.Fprintf(progress, "round %d of %d: swapping not, and swapping each %v\n", i+1, o.rounds, swapEach)
			for _, turn := range []struct {
				*swaps
				each time.Duration
			}{{&still, 0}, {&swapping, swapEach}} {
				if err := turn.measure(ctx, s, crowd, turn.each); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Answers while plans are swapped, %d a second: medians of %d rounds of %v (smallest – largest)\n%s\n\n", swapRate, o.rounds, swapFor, machine(o.root))
	still.write(&b, "never swapped", "")
	swapping.write(&b, fmt.Sprintf("made anew and swapped each %v", swapEach), "as never swapped")
	fmt.Fprintf(&b, "\nRatio of p99.9: %.2f\n", ratio(swapping.p999, still.p999))
	_, err = table.Write(b.Bytes())
	return err
}

func (f *swaps) measure(ctx context.Context, s peers.Site, c *crowd, each time.Duration) (err error) {
	addr, err := peers.Port()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server, err := peers.Run(ctx, swapper, addr, self, swapper, s.Database, strconv.FormatUint(s.World.Seed, 10), addr.String(), each.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	saw, err := ecs.Pace{
		Server: addr, Name: ecs.ParseName(peers.Host), Rate: swapRate, For: swapFor,
		Client: func(i int) netip.Prefix { return c.prefix(i % len(c.clients)) },
	}.Run(ctx)
	if err != nil {
		return err
	}
	f.median.add(micro(saw.At(0.5)))
	f.p99.add(micro(saw.At(0.99)))
	f.p999.add(micro(saw.At(0.999)))
	f.lost.add(float64(saw.Lost))
	return nil
}

func (f *swaps) write(b *bytes.Buffer, name, aim string) {
	fmt.Fprintf(b, "%s\n", name)
	row(b, "  median", f.median, "µs", 0, "")
	row(b, "  p99", f.p99, "µs", 0, "")
	row(b, "  p99.9", f.p999, "µs", 0, aim)
	row(b, "  lost", f.lost, "", 0, "")
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// serveSwapping is the server: its arguments are the database, the seed of the
// world, where to answer, and how often to swap.
func serveSwapping(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("%s: want DATABASE SEED ADDR EACH", swapper)
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddrPort(args[2])
	if err != nil {
		return err
	}
	each, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	w, err := atlas.New(seed)
	if err != nil {
		return err
	}
	a, err := locate.Open(locate.Sources{Places: args[0]}, nil)
	if err != nil {
		return err
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	s, err := geodns.New(geodns.Config{UDP: []*net.UDPConn{conn}, Atlas: a, Rate: -1})
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.SetMap(w.Map(peers.Zone, peers.Host, 2))
	done := make(chan struct{})
	go func() { defer close(done); swapEvery(ctx, s, a, each) }()
	err = s.Run(ctx)
	<-done
	return err
}

func swapEvery(ctx context.Context, s *geodns.Server, a *locate.Table, each time.Duration) {
	if each == 0 {
		return
	}
	for t := time.NewTicker(each); ; {
		select {
		case <-t.C:
			s.SetAtlas(a)
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
