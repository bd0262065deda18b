package health

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"landfall"
)

// Run begins a probe of every node once an interval until ctx ends, and waits
// for the probes that are under way. What is known is then kept a last time.
func (p *Prober) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	if p.c.Keep != nil {
		parts.Go(func() { p.keep(ctx) })
	}
	late := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.settle()
	})
	defer late.Stop()
	for {
		probes, wait := p.due()
		for _, t := range probes {
			parts.Go(func() { p.probe(ctx, t) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		case <-p.news:
		}
	}
}

// try is a probe to make.
type try struct {
	node    landfall.Node
	timeout time.Duration
}

// due are the probes to begin now, and how long to wait before the next call.
// On the way votes that have become old are forgotten.
func (p *Prober) due() (out []try, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.v.tick(now)
	p.tell()
	if !now.Before(p.next) {
		p.next = now.Add(p.interval)
		out = p.round(now)
	}
	return out, min(p.next.Sub(now), time.Second)
}

// round is one probe of every node.
func (p *Prober) round(now time.Time) (out []try) {
	for _, n := range p.v.nodes {
		if p.flight[n.ID] >= maxFlight {
			continue
		}
		p.flight[n.ID]++
		timeout := p.timeout
		if p.v.watch.Lossy(n.ID, now) {
			timeout += timeout / 3
		}
		out = append(out, try{n, timeout})
	}
	return out
}

func (p *Prober) probe(ctx context.Context, t try) {
	limited, stop := context.WithTimeout(ctx, t.timeout)
	defer stop()
	began := time.Now()
	err := p.c.Probe(limited, t.node)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flight[t.node.ID]--; p.flight[t.node.ID] == 0 {
		delete(p.flight, t.node.ID)
	}
	if ctx.Err() != nil {
		return // we are stopping: that says nothing about the node
	}
	if err == nil {
		p.ok++
	} else {
		p.failed++
	}
	if p.v.observe(t.node.ID, Result{outcome(limited, err), began, time.Now()}, err) {
		p.stats.Votes++
		p.unkept = true
		p.c.Log.Debug("vote changed", "node", t.node.ID, "vote", p.v.watch.nodes[t.node.ID].vote(), "err", err)
	}
	p.tell()
}

// outcome sorts the errors of probes. What ends by a deadline that it was
// given may be told so a moment before the context is.
func outcome(limited context.Context, err error) Outcome {
	switch {
	case err == nil:
		return Answered
	case limited.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Silent
	}
	return Refused
}

// keepEvery is how often what has changed goes to the file, and keepAnyway how
// often it is written nonetheless, so that it does not become old.
const (
	keepEvery  = time.Second
	keepAnyway = 30 * time.Second
)

// keep writes what is known to the file until ctx ends, and then once more.
func (p *Prober) keep(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	last, failing := time.Now(), false
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		now := time.Now()
		r := p.memory(now, ctx.Err() != nil || now.Sub(last) >= keepAnyway)
		if r == nil {
			continue
		}
		last = now
		err := save(p.c.Keep, *r)
		if err != nil && !failing {
			p.c.Log.Warn("nodes' health is not kept for a restart", "err", err)
		}
		failing = err != nil
	}
}

// memory is what is to be kept if there is something new in it, or anyway. As
// long as nothing is known there is nothing, lest it replace what was.
func (p *Prober) memory(now time.Time, anyway bool) *record {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.known:
	default:
		return nil
	}
	if p.v.begun.IsZero() || !p.unkept && !anyway {
		return nil
	}
	p.unkept = false
	r := p.v.remember(now)
	return &r
}
