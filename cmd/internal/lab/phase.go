package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/netlab"
	"landfall/mesh/wan"
)

// measured is a phase that is over.
type measured struct {
	wan.Phase
	Repeats int    // how often it was repeated before
	Command string // what ran in it, and where; empty for nothing
	Said    string // the last line that it printed
	Failed  error  // nil if it ended well
	where   string // its log
}

// phases runs them one after the other, until ctx ends.
func (r *runner) phases(ctx context.Context) (faults []error) {
	for _, p := range r.config.Lab.Phases {
		m, err := r.repeated(ctx, p)
		if ctx.Err() != nil {
			return faults
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("phase %q: %w", p.Name, err))
			return faults
		}
		r.measured = append(r.measured, m)
		if m.Failed != nil {
			faults = append(faults, fmt.Errorf("phase %q: %s: %w: %s", p.Name, m.Command, m.Failed, m.where))
		}
		if err := r.fallen(p.Name); err != nil {
			faults = append(faults, fmt.Errorf("phase %q: %w", p.Name, err))
		}
	}
	return faults
}

// repeated runs a phase until its packets were in time, or often enough.
func (r *runner) repeated(ctx context.Context, p config.LabPhase) (m measured, err error) {
	before := r.remember()
	most := r.config.Lab.Report.Repeats
	for n := 0; ; n++ {
		if m, err = r.phase(ctx, p, n); err != nil {
			return m, err
		}
		m.Repeats = n
		late := m.Late()
		switch {
		case late == nil:
			return m, nil
		case n == most:
			r.say("phase %s: %v; %s did not help, so do not rely on its figures", p.Name, late, count(n, "repetition"))
			return m, nil
		}
		r.say("phase %s: again (%d of %d): %v", p.Name, n+1, most, late)
		if err := r.rewind(ctx, before); err != nil {
			return m, err
		}
	}
}

// memory is what a phase may change.
type memory struct {
	links   map[way]wan.Link
	off     map[string]bool
	running []string
}

func (r *runner) remember() memory {
	running := r.running()
	r.mu.Lock()
	defer r.mu.Unlock()
	return memory{maps.Clone(r.links), maps.Clone(r.off), running}
}

// rewind puts back what a phase changed.
func (r *runner) rewind(ctx context.Context, m memory) error {
	if err := r.relink(m.links); err != nil {
		return err
	}
	for _, h := range r.config.Lab.Hosts {
		if err := r.plug(ctx, h.Name, m.off[h.Name]); err != nil {
			return err
		}
	}
	now := r.running()
	for _, name := range now {
		if !slices.Contains(m.running, name) {
			r.end(name, unix.SIGKILL)
		}
	}
	for _, name := range m.running {
		if !slices.Contains(now, name) {
			if err := r.start(ctx, name, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) relink(links map[way]wan.Link) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var faults []error
	for w, l := range links {
		faults = append(faults, r.set(w, l))
	}
	return errors.Join(faults...)
}

// phase runs one once.
func (r *runner) phase(ctx context.Context, p config.LabPhase, n int) (m measured, err error) {
	r.say("phase %s: %s", p.Name, ends(p))
	if err := r.router.Begin(p.Name); err != nil {
		return m, err
	}
	over, cancel := context.WithCancel(ctx)
	if p.Lasts > 0 {
		over, cancel = context.WithTimeout(ctx, p.Lasts)
	}
	defer cancel()
	start := time.Now()
	r.since(start)
	var command *netlab.Process
	if len(p.Command) > 0 {
		name := "phase-" + p.Name
		if n > 0 {
			name = fmt.Sprintf("%s-%d", name, n+1)
		}
		if command, err = r.lab.Host(p.Host).Start(netlab.Program{Name: name, Args: p.Command}); err != nil {
			return m, err
		}
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-command.Done():
				cancel()
			case <-stop:
			}
		}()
	}
	if err := r.events(over, start, p); err != nil && ctx.Err() == nil {
		return m, err
	}
	<-over.Done()
	if m.Phase, err = r.router.End(); err != nil {
		return m, err
	}
	if command != nil {
		r.result(&m, p, command)
	}
	return m, nil
}

// result is what became of a phase's command.
func (r *runner) result(m *measured, p config.LabPhase, c *netlab.Process) {
	m.Command = fmt.Sprintf("%s on %s", p.Command[0], p.Host)
	select {
	case <-c.Done():
		m.Failed = c.Ended()
	default:
		c.Kill()
		m.Failed = fmt.Errorf("did not end within %s", span(p.Lasts))
	}
	m.Said = lastLine(c)
	m.where = r.where(c, m.Said)
	r.say("  %s  %s %s", offset(m.Took), m.Command, fate(m.Failed, m.Said))
}

// events makes happen what is to, until over.
func (r *runner) events(over context.Context, start time.Time, p config.LabPhase) error {
	for i, e := range p.Events {
		t := time.NewTimer(time.Until(start.Add(e.At)))
		select {
		case <-over.Done():
			t.Stop()
			r.say("  the phase is over: %s later did not happen", count(len(p.Events)-i, "event"))
			return nil
		case <-t.C:
		}
		verb, to := e.What()
		if err := r.happen(over, e); err != nil && over.Err() == nil {
			return fmt.Errorf("%s %s: %w", verb, strings.Join(to, " - "), err)
		}
		r.tell("%s %s", verb, strings.Join(to, " - "))
	}
	return nil
}

func (r *runner) happen(ctx context.Context, e config.LabEvent) error {
	switch verb, to := e.What(); verb {
	case "cut", "heal", "change":
		return r.change(to, func(l wan.Link) wan.Link {
			if verb == "change" {
				return e.Apply(l)
			}
			l.Down = verb == "cut"
			return l
		})
	case "unplug", "plug":
		return r.plug(ctx, to[0], verb == "unplug")
	case "crash":
		r.crash(to[0])
	case "start":
		return r.start(ctx, to[0], false)
	case "stop":
		r.end(to[0], unix.SIGTERM)
	case "kill":
		r.end(to[0], unix.SIGKILL)
	}
	return nil
}

// change makes other links of those between two places.
func (r *runner) change(places []string, f func(wan.Link) wan.Link) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, b := wan.Site(places[0]), wan.Site(places[1])
	var faults []error
	for _, w := range []way{{a, b}, {b, a}} {
		if l, linked := r.links[w]; linked {
			faults = append(faults, r.set(w, f(l)))
		}
	}
	return errors.Join(faults...)
}

// plug takes a host off the internet, or puts it back.
func (r *runner) plug(ctx context.Context, host string, off bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off[host] == off {
		return nil
	}
	f := r.lab.Host(host).Plug
	if off {
		f = r.lab.Host(host).Unplug
	}
	if err := f(ctx); err != nil {
		return err
	}
	r.off[host] = off
	return nil
}
