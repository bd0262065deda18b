package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"landfall/mesh/wan"
)

const (
	restartRTT    = 150 * time.Millisecond
	restartPort   = 5202
	restartEvery  = 5 * time.Millisecond // a datagram is sent so often until one is answered
	restartSettle = time.Second          // what went through before is let go on for so long
	restartLimit  = time.Minute
)

// restarter is a tunnel whose both ends are killed and started again.
type restarter struct {
	kind  string
	took  sample // s, until the first datagram is answered
	ready sample // ms, until the end that answers has an address inside
}

// meshRestart measures how soon a tunnel carries anything after both its ends
// have started anew. Each round is one such start.
func meshRestart(ctx context.Context, o options, table, progress io.Writer) error {
	var all []*restarter
	for _, kind := range []string{ourTUN, itsTUN} {
		if o.wants(kind) {
			all = append(all, &restarter{kind: kind})
		}
	}
	done := make(chan error, len(all))
	for _, r := range all {
		go func() { done <- r.run(ctx, o.rounds, progress) }()
	}
	var faults []error
	for range all {
		faults = append(faults, <-done)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return writeRestart(table, o, all)
}

func (r *restarter) run(ctx context.Context, rounds int, progress io.Writer) (err error) {
	f, err := newFar(ctx, wan.Link{Delay: restartRTT / 2})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for i := range rounds {
		took, ready, err := r.once(ctx, f, i%2)
		if err != nil {
			return err
		}
		r.took.add(took.Seconds())
		r.ready.add(milli(ready))
		fmt.Fprintf(progress, "%s: %d of %d: %.2f s, the answering end ready after %.0f ms\n", r.kind, i+1, rounds, took.Seconds(), milli(ready))
	}
	return nil
}

// once starts both ends, of which one asks, and kills them.
func (r *restarter) once(ctx context.Context, f *far, asks int) (took, ready time.Duration, err error) {
	var sides [2]*side
	for i, room := range f.pair {
		s, err := startSide(room, endConfig{Kind: r.kind, Self: i, Wire: f.addrs(), Both: true})
		if err != nil {
			return 0, 0, err
		}
		defer s.kill()
		sides[i] = s
	}
	var other seen
	answered := make(chan error, 1)
	go func() {
		var err error
		other, err = sides[1-asks].tell(order{Do: "answer"})
		answered <- err
	}()
	saw, err := sides[asks].tell(order{Do: "ask"})
	if err := errors.Join(err, <-answered); err != nil {
		return 0, 0, err
	}
	began := saw.At
	if other.At.After(began) {
		began = other.At
	}
	return saw.At.Add(saw.Took[0]).Sub(began), other.Took[0], pause(ctx, restartSettle)
}

// answer opens the end, and answers datagrams until the process ends. It says
// how long it took to be ready.
func (e *end) answer(ctx context.Context) (ready time.Duration, err error) {
	start := time.Now()
	if err := e.open(ctx); err != nil {
		return 0, err
	}
	c, err := e.datagrams(ctx)
	if err != nil {
		return 0, err
	}
	ready = time.Since(start)
	go func() {
		defer c.Close()
		for b := make([]byte, 64); ; {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(b[:n], from) // lost: there will be another
		}
	}()
	return ready, nil
}

// ask opens the end and says how long it takes, from before that, until the
// other answers.
func (e *end) ask(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, restartLimit)
	defer cancel()
	if err := e.open(ctx); err != nil {
		return 0, err
	}
	c, err := e.datagrams(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	to := netip.AddrPortFrom(inside(1-e.Self), restartPort)
	for b := make([]byte, 64); ctx.Err() == nil; {
		_, _ = c.WriteToUDPAddrPort(b[:8], to) // refused or lost: there will be another
		if err := c.SetReadDeadline(time.Now().Add(restartEvery)); err != nil {
			return 0, err
		}
		if _, _, err := c.ReadFromUDPAddrPort(b); err == nil {
			return time.Since(start), nil
		}
	}
	return 0, fmt.Errorf("nothing was answered within %v", restartLimit)
}

// datagrams waits for the end's address inside and makes a socket on it.
func (e *end) datagrams(ctx context.Context) (*net.UDPConn, error) {
	for {
		c, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(netip.AddrPortFrom(inside(e.Self), restartPort)))
		if err == nil {
			return c, nil
		}
		if e := pause(ctx, time.Millisecond); e != nil {
			return nil, errors.Join(e, err)
		}
	}
}

func writeRestart(w io.Writer, o options, all []*restarter) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Both ends started at once, %v apart, after both were killed: %d times\n%s\n"+
		"From when both had begun to start to the first datagram of one that the other answered; %s has a keepalive on both ends.\n\n", restartRTT, o.rounds, machine(o.root), itsTUN)
	heading(&b, "tunnel", "median, s", "p95, s", "the other end ready, ms", "within 0.6 s", "wanted")
	for _, r := range all {
		sorted := slices.Sorted(slices.Values(r.took))
		within := 0
		for _, s := range sorted {
			if s <= 0.6 {
				within++
			}
		}
		wanted := ""
		if r.kind == ourTUN {
			wanted = "all"
		}
		cells(&b, r.kind, spread(r.took, 2), fmt.Sprintf("%.2f", sorted[len(sorted)*95/100]), spread(r.ready, 0), fmt.Sprintf("%d of %d", within, len(sorted)), wanted)
	}
	_, err := w.Write(b.Bytes())
	return err
}
