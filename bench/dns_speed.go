package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"landfall/bench/load"
	"landfall/bench/peers"
)

// loader is the argument that makes this program the load of another.
const loader = "load"

// The cores of the server and of the load.
const (
	serverCore = 0
	loadCore   = 1
)

// Load as fast as a server answers: so many sockets, and questions in flight on
// each. More than 200 in all would not fit into the buffer that the kernel
// gives to a socket, which not every server makes larger.
const (
	speedSockets = 16
	speedWindow  = 12
	speedEvery   = 16
)

// turn is what one server did in one turn of one case.
type turn struct {
	cost   float64 // seconds of processor time for a million answers
	speed  float64 // answers a second
	others float64 // the share of a core that went to neither server nor load
	idle   float64 // the share of its time in which the load could have done more
	saw    load.Saw
}

// running are servers that have been started.
type running map[string]*peers.Server

// stop ends all of them.
func (r running) stop() error {
	var errs []error
	for _, s := range r {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}

// start runs kinds of servers, all on the core of servers: those that are not
// asked take nothing of it.
func start(ctx context.Context, s peers.Site, kinds []peers.Kind, progress io.Writer) (running, error) {
	all := running{}
	for _, k := range kinds {
		fmt.Fprintf(progress, "starting %s\n", k.Name)
		err := load.Pin(serverCore, func() (err error) {
			all[k.Name], err = k.Start(ctx, s)
			return err
		})
		if err != nil {
			delete(all, k.Name)
			return nil, errors.Join(err, all.stop())
		}
	}
	return all, nil
}

// hit lets the load at a server.
func hit(ctx context.Context, s *peers.Server, l load.Load) (turn, error) {
	self, err := os.Executable()
	if err != nil {
		return turn{}, err
	}
	l.Server = s.Addr
	begun := time.Now()
	before, all, err := clocks(s.PID())
	if err != nil {
		return turn{}, err
	}
	saw, err := l.Apart(ctx, loadCore, self, loader)
	if err != nil {
		return turn{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	after, allAfter, err := clocks(s.PID())
	if err != nil {
		return turn{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	if saw.Answered == 0 {
		return turn{}, fmt.Errorf("%s: no answer to %d questions", s.Name, saw.Sent)
	}
	cost := after - before
	return turn{
		cost:   cost.Seconds() / float64(saw.Answered) * 1e6,
		speed:  saw.Speed(),
		others: max(0, (allAfter-all-cost-saw.Busy).Seconds()/time.Since(begun).Seconds()),
		idle:   saw.Idle.Seconds() / l.For.Seconds(),
		saw:    saw,
	}, nil
}

// clocks are the processor time of a process and of the machine.
func clocks(pid int) (one, all time.Duration, err error) {
	if one, err = spent(pid); err != nil {
		return 0, 0, err
	}
	all, err = used()
	return one, all, err
}

// speeds are all turns of a case.
type speeds struct {
	contest *contest
	turns   map[string][]turn // by the name of the server
}

// dnsSpeed measures what an answer costs a name server, beside others.
func dnsSpeed(ctx context.Context, o options, table, progress io.Writer) error {
	return makeWorld(1, func(s peers.Site) (err error) {
		kinds, err := o.contestants(ctx, &s, progress)
		if err != nil {
			return err
		}
		servers, err := start(ctx, s, kinds, progress)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, servers.stop()) }()
		var all []*speeds
		for _, c := range contests(s.World) {
			if o.cases != "" && !slices.Contains(strings.Split(o.cases, ";"), c.name) {
				continue
			}
			all = append(all, &speeds{contest: c, turns: map[string][]turn{}})
		}
		for round := range o.rounds {
			fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
			for _, c := range all {
				if err := c.round(ctx, o, servers, round); err != nil {
					return err
				}
			}
		}
		return o.writeSpeeds(ctx, table, all)
	})
}

// round lets the load at each server of a case; they take turns in being the
// first.
func (s *speeds) round(ctx context.Context, o options, servers running, round int) error {
	for i := range s.contest.servers {
		name := s.contest.servers[(i+round)%len(s.contest.servers)]
		queries, err := s.contest.ask(servers[name].Addr)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.contest.name, name, err)
		}
		t, err := hit(ctx, servers[name], load.Load{
			Queries: queries, Sockets: speedSockets, Window: speedWindow, Every: speedEvery, For: o.turn,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.contest.name, err)
		}
		t.saw.Took = nil
		s.turns[name] = append(s.turns[name], t)
	}
	return nil
}
