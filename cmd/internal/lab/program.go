package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"landfall/cmd/internal/netlab"
)

// start starts a program, and waits until it is ready if that is wanted.
func (r *runner) start(ctx context.Context, name string, wait bool) error {
	if slices.Contains(r.running(), name) {
		return nil
	}
	p := r.programs[name]
	h := r.lab.Host(p.Host)
	began := time.Now()
	process, err := h.Start(netlab.Program{Name: p.Name, Args: p.Command, Env: p.Env})
	if err != nil {
		return err
	}
	p.process, p.meant = process, false
	if !wait || p.TCP == 0 && p.Log == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.ReadyFor)
	defer cancel()
	if err := process.Until(ctx, "sign of being ready", p.ready(h)); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("not ready within %s: %w", span(p.ReadyFor), err)
		}
		return fmt.Errorf("program %q: %w", name, err)
	}
	r.say("%s on %s: ready after %s", name, p.Host, span(time.Since(began)))
	return nil
}

// ready is what tells whether the program is.
func (p *program) ready(h *netlab.Host) func(context.Context) error {
	line := regexp.MustCompile("(?m)" + p.Log) // which the file's check has tried
	return func(ctx context.Context) error {
		if p.TCP != 0 {
			if err := taken(ctx, h, p.TCP); err != nil {
				return err
			}
		}
		if p.Log == "" {
			return nil
		}
		b, err := os.ReadFile(p.process.Log())
		if err == nil && !line.Match(b) {
			err = fmt.Errorf("no line like %q", p.Log)
		}
		return err
	}
}

// taken reports, as an error, that no address of a host takes connections on
// a port.
func taken(ctx context.Context, h *netlab.Host, port uint16) error {
	var faults []error
	for _, a := range own(h) {
		c, err := h.Dial(ctx, "tcp", netip.AddrPortFrom(a, port))
		if err == nil {
			return c.Close()
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// own are the addresses of a host as it knows them itself.
func own(h *netlab.Host) []netip.Addr {
	local := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	if h.Inside.IsValid() {
		return append(local, h.Inside)
	}
	return append(local, h.Addresses...)
}

// end has a program end, on purpose.
func (r *runner) end(name string, s unix.Signal) {
	p := r.programs[name]
	if p.process == nil {
		return
	}
	p.meant = true
	p.process.Signal(s)
}

// crash kills all that runs on a host.
func (r *runner) crash(host string) {
	for _, p := range r.programs {
		if p.Host == host {
			p.meant = true
		}
	}
	r.lab.Host(host).Crash()
}

// running are the names of programs that run.
func (r *runner) running() (names []string) {
	for name, p := range r.programs {
		if p.process == nil {
			continue
		}
		select {
		case <-p.process.Done():
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fallen are the programs that ended badly, and not on purpose, since they
// were last asked for.
func (r *runner) fallen() error {
	var faults []error
	for _, c := range r.config.Lab.Programs {
		p := r.programs[c.Name]
		if p == nil || p.process == nil || p.meant {
			continue
		}
		if err := p.process.Err(); err != nil {
			p.meant = true // it is told once
			faults = append(faults, fmt.Errorf("program %q: %s", c.Name, strings.TrimSpace(err.Error())))
		}
	}
	return errors.Join(faults...)
}
