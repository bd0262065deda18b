package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/labrouter"
	"landfall/cmd/internal/netlab"
	"landfall/mesh/wan"
)

// Config is a lab before it runs.
type Config struct {
	Lab    config.Lab
	Name   string           // how the user calls its file
	Dir    string           // for all files; what earlier labs left there is removed
	Router func() *exec.Cmd // the program that calls labrouter.Serve
	Keep   bool             // run on after the phases, until ctx ends
	Out    io.Writer
}

// runner is a lab that runs.
type runner struct {
	config   Config
	lab      *netlab.Lab
	router   *labrouter.Client
	programs map[string]*program
	measured []measured
	falls    []fall
	watching sync.WaitGroup // what tells of programs that end

	// Phases and users who type orders change these.
	mu    sync.Mutex
	links map[way]wan.Link         // as they are, cuts included
	off   map[string]bool          // hosts that are unplugged
	meant map[*netlab.Process]bool // whose end was, or was told
	began time.Time                // the phase, or else what is before or after it
}

type way struct{ from, to wan.Site }

// program is one that runs, or did.
type program struct {
	config.LabProgram
	process *netlab.Process // nil until it is started
}

// Run builds the lab, runs its phases, and removes it. It returns when nothing
// of it is left but its directory. An error is what went wrong, or what a
// program or a phase's command made of it; packets that were late are none.
func Run(ctx context.Context, c Config) error {
	if err := needs(c.Lab); err != nil {
		return err
	}
	state, err := occupy(c.Dir, c.Lab)
	if err != nil {
		return err
	}
	defer state.leave()
	r, start := newRunner(c), time.Now()
	if err := r.open(ctx, state.dir); err != nil {
		return err
	}
	if err = r.router.Guard(r.lab.Namespaces()); err == nil {
		err = r.run(ctx, start, state)
	}
	return errors.Join(err, r.close())
}

func newRunner(c Config) *runner {
	c.Out = &together{out: c.Out}
	return &runner{config: c, links: map[way]wan.Link{}, off: map[string]bool{}, programs: map[string]*program{}, meant: map[*netlab.Process]bool{}}
}

// close ends all that runs, on purpose.
func (r *runner) close() error {
	for _, p := range r.programs {
		r.mean(p)
	}
	err := r.lab.Close()
	r.watching.Wait()
	return err
}

func (r *runner) open(ctx context.Context, dir string) (err error) {
	r.lab, err = netlab.Open(ctx, r.netlab(dir))
	return err
}

// netlab is the lab in the words of package netlab.
func (r *runner) netlab(dir string) netlab.Config {
	c := netlab.Config{Dir: dir, Places: map[wan.Site]landfall.Place{}, Seed: uint64(r.config.Lab.Seed), Named: true, Carrier: r.carry}
	for _, p := range r.config.Lab.Places {
		c.Places[p.Name] = p.Place
	}
	for _, h := range r.config.Lab.Hosts {
		s := netlab.Server{Name: h.Name, Place: h.Place, Addresses: h.Addresses, Inside: h.Inside, NAT: natOf(h)}
		if h.Closed {
			s.Firewall = &netlab.Firewall{}
			for _, p := range h.Open {
				if p.Network == "tcp" {
					s.Firewall.TCP = append(s.Firewall.TCP, p.Port)
				} else {
					s.Firewall.UDP = append(s.Firewall.UDP, p.Port)
				}
			}
		}
		c.Hosts = append(c.Hosts, s)
	}
	return c
}

// natOf is what stands before a host, if it is the router's work.
func natOf(h config.LabHost) *wan.NAT {
	switch h.NAT {
	case config.LabFullCone:
		return new(wan.FullCone(h.Addresses[0]))
	case config.LabRestricted:
		return new(wan.AddressRestricted(h.Addresses[0]))
	case config.LabPortRestricted:
		return new(wan.PortRestricted(h.Addresses[0]))
	case config.LabSymmetric:
		return new(wan.Symmetric(h.Addresses[0]))
	}
	return nil
}

// carry starts the router.
func (r *runner) carry(dev *os.File) (netlab.Carrier, error) {
	c, err := labrouter.Start(uint64(r.config.Lab.Seed), dev, r.config.Router())
	if err != nil {
		return nil, err
	}
	r.router = c
	return c, nil
}

func (r *runner) run(ctx context.Context, start time.Time, s *state) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with the router, which ends with the lab
		<-r.router.Done()
		cancel(errors.New("the router has ended"))
	}()
	l := r.config.Lab
	r.say("%s: %s at %s; files in %s", r.config.Name, count(len(l.Hosts), "host"), count(len(l.Places), "place"), r.lab.Dir())
	r.say("router: process %d, %s", r.router.PID(), standing(r.router.Priority()))
	r.since(start)
	if err := r.connect(); err != nil {
		return err
	}
	if err := s.tell(r.lab); err != nil {
		return err
	}
	stop, err := r.obey(s)
	if err != nil {
		return err
	}
	defer stop()
	if err := r.furnish(ctx); err != nil {
		return err
	}
	r.say("ready after %s", span(time.Since(start)))
	faults := r.phases(ctx)
	faults = append(faults, r.report())
	r.since(time.Now())
	if r.config.Keep && ctx.Err() == nil {
		r.say("the lab runs until it is interrupted; meanwhile:  landfall lab shell --dir %s %s", r.lab.Dir(), l.Hosts[0].Name)
		<-ctx.Done()
		return errors.Join(append(faults, r.died(ctx))...)
	}
	if ctx.Err() != nil {
		faults = append(faults, context.Cause(ctx))
	}
	return errors.Join(faults...)
}

// furnish starts the programs.
func (r *runner) furnish(ctx context.Context) error {
	for _, p := range r.config.Lab.Programs {
		r.programs[p.Name] = &program{LabProgram: p}
	}
	for _, p := range r.config.Lab.Programs {
		if p.Waits {
			continue
		}
		if err := r.start(ctx, p.Name, true); err != nil {
			return err
		}
	}
	return nil
}

// died is why ctx ended, unless the user wanted it.
func (r *runner) died(ctx context.Context) error {
	select {
	case <-r.router.Done():
		return context.Cause(ctx)
	default:
		return nil
	}
}

// connect sets all links.
func (r *runner) connect() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.config.Lab.Links {
		if err := r.set(way{l.Between[0], l.Between[1]}, l.Link); err != nil {
			return err
		}
		if l.OneWay {
			continue
		}
		if err := r.set(way{l.Between[1], l.Between[0]}, l.Link); err != nil {
			return err
		}
	}
	return nil
}

// set makes one direction of a link, for one goroutine at a time.
func (r *runner) set(w way, l wan.Link) error {
	if err := r.router.SetLink(w.from, w.to, l); err != nil {
		return err
	}
	r.links[w] = l
	return nil
}

func (r *runner) say(format string, args ...any) { fmt.Fprintf(r.config.Out, format+"\n", args...) }

// tell says what happened, and when in the phase.
func (r *runner) tell(format string, args ...any) {
	r.mu.Lock()
	at := time.Since(r.began)
	r.mu.Unlock()
	r.say("  %s  %s", offset(at), fmt.Sprintf(format, args...))
}

// since begins to count time anew.
func (r *runner) since(t time.Time) {
	r.mu.Lock()
	r.began = t
	r.mu.Unlock()
}

// together takes what several goroutines print.
type together struct {
	mu  sync.Mutex
	out io.Writer
}

// Write writes whole lines, one caller after the other.
func (t *together) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(b)
}

// standing explains what the kernel granted.
func standing(priority string) string {
	switch priority {
	case "fifo":
		return "before all other work of this machine (SCHED_FIFO)"
	case "nice":
		return "before most other work (nice -20): the kernel refuses SCHED_FIFO"
	}
	return "in turn with all other work: the kernel grants neither SCHED_FIFO nor nice -20"
}
