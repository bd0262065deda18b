package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"landfall/mesh/wan"
	"landfall/mesh/wan/day"
	"landfall/mesh/wan/wantest"
)

// The package and the test that live through a day of twelve regions.
const (
	dayPackage = "landfall/mesh/trial"
	dayTest    = "TestDay"
)

// dayEnv is what suits a program whose clock stands still while anything runs:
// it has little for a second core to do. And memory is there to be used.
func dayEnv() map[string]string { return map[string]string{"GOMAXPROCS": "1", "GOGC": "400"} }

// meshDay has twelve regions live through a day in virtual time, each seed
// twice, in processes of their own.
func meshDay(ctx context.Context, o options, table, progress io.Writer) (err error) {
	fmt.Fprintln(progress, "building")
	p, err := wantest.Build(ctx, o.root, dayPackage)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	for name, value := range dayEnv() { // which the program finds there
		was, set := os.LookupEnv(name)
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		defer func() {
			if os.Unsetenv(name); set {
				os.Setenv(name, was)
			}
		}()
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v of twelve regions that talk, in virtual time, on one core and without -race\n%s\n\n", o.day, machine(o.root))
	heading(&b, "seed", "real s", "CPU-s", "hash of the sorted trace", "packets", "of WireGuard", "probes", "relayed", "messages", "arrived, %", "p50, ms", "p99, ms", "longest, ms")
	var took sample
	hashes := map[string]bool{}
	for round := range o.rounds {
		seed := uint64(round/2 + 1)
		fmt.Fprintf(progress, "round %d of %d: seed %d\n", round+1, o.rounds, seed)
		r, err := day.Spec{Seed: seed, Length: o.day}.Test(ctx, p, dayTest)
		if err != nil {
			return err
		}
		took.add(r.Took.Seconds())
		hash := r.Trace.Hash
		hashes[hash] = true
		cells(&b, fmt.Sprint(seed), fmt.Sprintf("%.1f", r.Took.Seconds()), fmt.Sprintf("%.1f", r.CPU.Seconds()), hash,
			fmt.Sprint(r.Trace.Packets), kinds(r.Trace, '\x01', '\x02', '\x03', '\x04'), kinds(r.Trace, 'L'), kinds(r.Trace, 'R'), fmt.Sprint(r.Sent), fmt.Sprintf("%.3f", 100*float64(r.Arrived)/float64(max(r.Sent, 1))),
			fmt.Sprintf("%.0f", milli(r.P50)), fmt.Sprintf("%.0f", milli(r.P99)), fmt.Sprintf("%.0f", milli(r.Longest)))
	}
	fmt.Fprintln(&b)
	heading(&b, "aim", "measured", "wanted")
	cells(&b, "real seconds of a day", spread(scaled(took, float64(24*time.Hour)/float64(o.day)), 1), "at most 60")
	cells(&b, "hashes, of so many seeds", fmt.Sprintf("%d of %d", len(hashes), (o.rounds+1)/2), "as many")
	_, err = table.Write(b.Bytes())
	return err
}

// kinds are the packets that begin with one of these bytes.
func kinds(t wan.Trace, of ...byte) string {
	var sum uint64
	for _, k := range of {
		sum += t.Kinds[k]
	}
	return fmt.Sprint(sum)
}
