package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// How many idle peers there are, and how long they have to find each other.
const (
	idleFew    = 1
	idleMany   = 101
	idleFull   = 11 // where all know each other
	idleSettle = 30 * time.Second
)

// idlers are one node and peers that it has nothing to say to.
type idlers struct {
	near, far string
	peers     int
	full      bool // all know each other

	heap, stacks sample // bytes, of the near end, after a collection
	goroutines   sample
	wire         sample // bytes a minute and peer, both directions
	cpu          sample // CPU-ms a minute
}

// meshIdle measures what a peer costs to whom nothing is said.
func meshIdle(ctx context.Context, o options, table, progress io.Writer) error {
	all := []*idlers{
		{near: ourTUN, far: ourCrowd, peers: idleFew}, {near: ourTUN, far: ourCrowd, peers: idleMany},
		{near: itsTUN, far: itsCrowd, peers: idleFew}, {near: itsTUN, far: itsCrowd, peers: idleMany},
		{near: ourTUN, far: ourCrowd, peers: idleFull, full: true},
	}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d: %v of silence\n", round+1, o.rounds, o.quiet)
		done := make(chan error, len(all))
		for _, i := range all {
			go func() { done <- i.rest(ctx, o.quiet) }()
		}
		var faults []error
		for range all {
			faults = append(faults, <-done)
		}
		if err := errors.Join(faults...); err != nil {
			return err
		}
	}
	return writeIdle(table, o, all)
}

// rest makes them and lets them be.
func (i *idlers) rest(ctx context.Context, quiet time.Duration) (err error) {
	rooms, err := newPair(ctx)
	if err != nil {
		return err
	}
	defer rooms.close()
	var r rig
	defer func() { err = errors.Join(err, r.stop()) }()
	for self, kind := range []string{i.near, i.far} {
		s, err := r.start(rooms[self], endConfig{Kind: kind, Self: self, Wire: rooms.addrs(), Crowd: i.peers, Full: i.full})
		if err != nil {
			return err
		}
		r.tunnel = append(r.tunnel, s)
	}
	near := r.tunnel[0]
	if err := pause(ctx, idleSettle); err != nil {
		return err
	}
	before, err := near.tell(order{Do: "look"})
	if err != nil {
		return err
	}
	if err := pause(ctx, quiet); err != nil {
		return err
	}
	after, err := near.tell(order{Do: "look"})
	if err != nil {
		return err
	}
	if _, err := near.tell(order{Do: "settle"}); err != nil {
		return err
	}
	still, err := near.tell(order{Do: "look"})
	if err != nil {
		return err
	}
	minutes := after.At.Sub(before.At).Minutes()
	i.heap.add(float64(still.Heap))
	i.stacks.add(float64(still.Stacks))
	i.goroutines.add(float64(still.Goroutines))
	i.wire.add(float64(after.Wire.Bytes-before.Wire.Bytes) / minutes / float64(i.peers))
	i.cpu.add(float64((after.CPU - before.CPU).Milliseconds()) / minutes)
	return nil
}

// pause waits, but not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onePeer is what one more peer adds to a figure.
func onePeer(few, many sample) (out sample) {
	for i := range few {
		out.add((many[i] - few[i]) / (idleMany - idleFew))
	}
	return out
}

func writeIdle(w io.Writer, o options, all []*idlers) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Peers that nothing is said to: medians of %d rounds of %v (smallest – largest)\n%s\n"+
		"One process with a TUN device and so many peers, all in a process far away, who know it alone unless it is said that all know all. Bytes are those of IP packets, both directions, on the wire.\n\n",
		o.rounds, o.quiet, machine(o.root))
	heading(&b, "node", "peers", "heap, KB", "stacks, KB", "goroutines", "bytes a minute and peer", "CPU-ms a minute")
	for _, i := range all {
		peers := fmt.Sprint(i.peers)
		if i.full {
			peers += ", all with all"
		}
		cells(&b, i.near, peers, spread(scaled(i.heap, 1e-3), 0), spread(scaled(i.stacks, 1e-3), 0), spread(i.goroutines, 0), spread(i.wire, 0), spread(i.cpu, 0))
	}
	fmt.Fprintln(&b)
	heading(&b, "a peer more", "heap, KB", "stacks, KB", "goroutines", "CPU-ms a minute")
	for i := 0; i < 4; i += 2 {
		few, many := all[i], all[i+1]
		cells(&b, few.near, spread(scaled(onePeer(few.heap, many.heap), 1e-3), 1), spread(scaled(onePeer(few.stacks, many.stacks), 1e-3), 1),
			spread(onePeer(few.goroutines, many.goroutines), 1), spread(onePeer(few.cpu, many.cpu), 2))
	}
	fmt.Fprintln(&b)
	ours, theirs := onePeer(all[0].heap, all[1].heap), onePeer(all[2].heap, all[3].heap)
	var beyond sample
	for i := range ours {
		beyond.add((ours[i] - theirs[i]) / 1e3)
	}
	heading(&b, "aim", "measured", "wanted")
	cells(&b, "heap of a peer beyond wireguard-go's, KB", spread(beyond, 1), "at most 64")
	cells(&b, "bytes a minute and peer, of 2 nodes", spread(all[0].wire, 0), "at most 2000")
	cells(&b, fmt.Sprintf("bytes a minute and peer, of %d nodes that all know each other", idleFull+1), spread(all[4].wire, 0), "at most 2000")
	cells(&b, fmt.Sprintf("bytes a minute and peer, of %d nodes", idleMany+1), spread(all[1].wire, 0), "at most 2000")
	_, err := w.Write(b.Bytes())
	return err
}

func scaled(s sample, by float64) (out sample) {
	for _, v := range s {
		out.add(v * by)
	}
	return out
}
