package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
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
	r.mu.Lock()
	p.process = process
	r.mu.Unlock()
	r.watch(p)
	if !wait || p.TCP == 0 && p.Log == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.ReadyFor)
	defer cancel()
	if err := process.Until(ctx, "sign of being ready", p.ready(h)); err != nil {
		r.mean(p) // it is told here
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
	r.mean(p)
	p.process.Signal(s)
}

// mean says that a program's end, which comes or came, is no surprise. It
// reports whether it would have been one.
func (r *runner) mean(p *program) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.process == nil || r.meant[p.process] {
		return false
	}
	r.meant[p.process] = true
	return true
}

// watch tells when a program ends that nobody ended.
func (r *runner) watch(p *program) {
	process := p.process
	r.watching.Go(func() {
		<-process.Done()
		r.mu.Lock()
		meant := r.meant[process]
		r.mu.Unlock()
		if !meant {
			r.tell("%s on %s %s", p.Name, p.Host, fate(process.Ended(), lastLine(process)))
		}
	})
}

// fate is how something ended, with the last line that it printed.
func fate(how error, said string) string {
	out := "ended well"
	if how != nil {
		out = "failed: " + how.Error()
	}
	if said != "" {
		out += ": " + said
	}
	return out
}

// lastLine is the last line that a program printed.
func lastLine(p *netlab.Process) string {
	b, err := os.ReadFile(p.Log())
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// crash kills all that runs on a host.
func (r *runner) crash(host string) {
	for _, p := range r.programs {
		if p.Host == host {
			r.mean(p)
		}
	}
	r.lab.Host(host).Crash()
}

// running are the names of programs that run.
func (r *runner) running() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
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

// fall is a program that ended badly, and not on purpose.
type fall struct {
	phase, program, said string
	how                  error
}

// fallen are the programs that fell since they were last asked for.
func (r *runner) fallen(phase string) error {
	var faults []error
	for _, c := range r.config.Lab.Programs {
		p := r.programs[c.Name]
		if p.process == nil {
			continue
		}
		if how := p.process.Ended(); how != nil && r.mean(p) { // it is told once
			f := fall{phase, p.Name + " on " + p.Host, lastLine(p.process), how}
			r.falls = append(r.falls, f)
			faults = append(faults, fmt.Errorf("program %q: %w: %s", c.Name, how, r.where(p.process, f.said)))
		}
	}
	return errors.Join(faults...)
}

// where is a program's log, and the last line of it.
func (r *runner) where(p *netlab.Process, said string) string {
	name, err := filepath.Rel(r.lab.Dir(), p.Log())
	if err != nil {
		name = p.Log()
	}
	if said == "" {
		return name + " is empty"
	}
	return name + " ends with: " + said
}
