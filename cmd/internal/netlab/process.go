package netlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long a program may take to end when it is asked to.
const grace = 20 * time.Second

// Program is what a host is to run.
type Program struct {
	Name  string     // for its log; empty means the last part of Args[0]
	Args  []string   // the program, found in Config.Path or PATH, and its arguments
	Env   []string   // beside PATH, HOME and LANG
	Dir   string     // empty means the host's home
	Files []*os.File // inherited as descriptors 3, 4 and so on
}

// Process is a program that runs on a host, or did. What it prints goes to its
// log.
type Process struct {
	host *Host
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; set before done closes
}

// Start runs a program until it ends, is stopped, or the lab is closed.
func (h *Host) Start(p Program) (*Process, error) {
	name := p.Name
	if name == "" {
		name = filepath.Base(p.Args[0])
	}
	log := filepath.Join(h.lab.config.Dir, "log", h.Name+"-"+name+".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := h.command(context.Background(), p)
	cmd.Stdout, cmd.Stderr = out, out
	if err := h.room.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("host %s: start %s: %w", h.Name, name, err)
	}
	r := &Process{host: h, name: name, log: log, cmd: cmd, done: make(chan struct{})}
	h.mu.Lock()
	if h.running == nil {
		h.running = map[*Process]struct{}{}
	}
	h.running[r] = struct{}{}
	h.mu.Unlock()
	h.lab.log.Debug("started", "host", h.Name, "program", name, "pid", cmd.Process.Pid)
	h.work.Go(func() {
		defer close(r.done)
		r.err = cmd.Wait()
		h.mu.Lock()
		delete(h.running, r)
		h.mu.Unlock()
	})
	return r, nil
}

// Run runs a program to its end and returns what it printed to its standard
// output. An error holds what it printed to the other, and is an
// *exec.ExitError where it has an exit code.
func (h *Host) Run(ctx context.Context, args ...string) (string, error) {
	return h.Feed(ctx, nil, args...)
}

// Feed is Run for a program that reads its standard input.
func (h *Host) Feed(ctx context.Context, in io.Reader, args ...string) (string, error) {
	var out, faults bytes.Buffer
	cmd := h.command(ctx, Program{Args: args})
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &faults
	if err := h.room.do(cmd.Start); err != nil {
		return "", fmt.Errorf("host %s: start %s: %w", h.Name, args[0], err)
	}
	err := cmd.Wait()
	if err != nil {
		err = fmt.Errorf("host %s: %q: %w\n%s", h.Name, args, errors.Join(ctx.Err(), err), bytes.TrimSpace(faults.Bytes()))
	}
	return out.String(), err
}

// command is a program to start in the room. It leads a group of its own, and
// dies with the room and with ctx.
func (h *Host) command(ctx context.Context, p Program) *exec.Cmd {
	cmd := exec.CommandContext(ctx, find(p.Args[0], h.lab.config.Path), p.Args[1:]...)
	cmd.Cancel = func() error { return kill(cmd, unix.SIGKILL) }
	cmd.Dir = p.Dir
	if cmd.Dir == "" {
		cmd.Dir = h.Home()
	}
	cmd.Env = append(h.environ(), p.Env...)
	cmd.ExtraFiles = p.Files
	cmd.WaitDelay = time.Second // for pipes that children keep open
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// environ is what all programs on the host find in their environment.
func (h *Host) environ() []string {
	path := os.Getenv("PATH")
	if own := h.lab.config.Path; own != "" {
		path = own + string(filepath.ListSeparator) + path
	}
	return []string{"PATH=" + path, "HOME=" + h.Home(), "LANG=C.UTF-8"}
}

// find is a program in a folder, if it is there, or else its name for PATH.
func find(name, folder string) string {
	if folder == "" || filepath.Base(name) != name {
		return name
	}
	if file := filepath.Join(folder, name); access(file) {
		return file
	}
	return name
}

// access reports whether a file is a program.
func access(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// kill signals a program and the children that stayed with it.
func kill(cmd *exec.Cmd, s unix.Signal) error { return unix.Kill(-cmd.Process.Pid, s) }

// Stop asks the program to end, as systemd does, and waits for it. One that
// does not is killed, which is an error.
func (p *Process) Stop() error {
	p.Signal(unix.SIGTERM)
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.done:
		return p.Err()
	case <-t.C:
		p.Kill()
		return fmt.Errorf("host %s: %s did not end within %v of being asked to", p.host.Name, p.name, grace)
	}
}

// Kill ends the program at once and waits for it.
func (p *Process) Kill() {
	p.Signal(unix.SIGKILL)
	<-p.done
}

// Signal sends a signal to the program and its children.
func (p *Process) Signal(s unix.Signal) {
	select {
	case <-p.done: // its number may be another's by now
	default:
		_ = kill(p.cmd, s) // it may be gone already
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the program ended, with the end of its log if that was not well;
// nil before.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("host %s: %s: %w\n%s", p.host.Name, p.name, p.err, tail(p.log, 4<<10))
}

// Ended is how the program ended, in a word such as exit status 1; nil before,
// and if it ended well.
func (p *Process) Ended() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// PID is the program's process number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is the file with what the program prints.
func (p *Process) Log() string { return p.log }

// Until tries something until it works. It gives up when ctx ends or the
// program that it depends on has ended, and says what failed last.
func (p *Process) Until(ctx context.Context, what string, try func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end, ends := ctx.Deadline()
	var err error
	for {
		fault := try(ctx)
		if fault == nil {
			return nil
		}
		if err == nil || ctx.Err() == nil && (!ends || time.Now().Before(end)) { // one that came too late says little
			err = fault
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("host %s: %s ended before %s: %w\n%s", p.host.Name, p.name, what, errors.Join(p.err, err), tail(p.log, 4<<10))
		case <-ctx.Done():
			return fmt.Errorf("host %s: %s: no %s: %w\n%s", p.host.Name, p.name, what, errors.Join(ctx.Err(), err), tail(p.log, 4<<10))
		}
	}
}
