package handover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Flag is what a process is told by that it is to take the place of the one
// that serves by the same state directory, if there is one.
const Flag = "--replace"

// lastWords is how long it may take to hear what a process said that has ended.
const lastWords = 500 * time.Millisecond

// Start starts a successor, and returns when it has taken over. A successor
// that fails, or is not ready in time, ends.
func (o *Old) Start(ctx context.Context, program string, args, environ []string) (pid int, err error) {
	if !slices.Contains(args, Flag) {
		args = append(slices.Clone(args), Flag)
	}
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, os.Stdout, os.Stderr
	fate := make(chan error, 1)
	if pid, err = o.launch(cmd, fate); err != nil {
		return 0, fmt.Errorf("start %s: %w", program, err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }() // it ends with one of the two processes
	enough := time.NewTimer(o.cfg.Ready + yieldTime + thanksTime)
	defer enough.Stop()
	select {
	case err = <-fate:
	case exit := <-exited:
		select {
		case err = <-fate: // its last words
		case <-time.After(lastWords):
			err = o.last(pid, fate, cmp.Or(exit, errEnded), "; its log says why")
		}
	case <-enough.C:
		err = o.last(pid, fate, errLate, "")
	case <-ctx.Done():
		err = o.last(pid, fate, context.Cause(ctx), "")
	}
	if err != nil {
		_ = cmd.Process.Kill() // it may have ended
		return 0, fmt.Errorf("the successor (process %d): %w", pid, err)
	}
	return pid, nil
}

// launch starts a process whose fate is told, however soon it is.
func (o *Old) launch(cmd *exec.Cmd, fate chan error) (pid int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	o.fates[cmd.Process.Pid] = fate
	return cmd.Process.Pid, nil
}

// Why a successor has not taken over.
var (
	errEnded = errors.New("it ended by itself")
	errLate  = errors.New("it does not get ready")
)

// last is what became of a process of which nobody waits to hear any more: its
// fate, if that is known by now.
func (o *Old) last(pid int, fate <-chan error, why error, more string) error {
	o.mu.Lock()
	_, unknown := o.fates[pid]
	delete(o.fates, pid)
	o.mu.Unlock()
	if unknown {
		return fmt.Errorf("%w%s", why, more)
	}
	return <-fate
}

// Program is the file of the program that args[0] names: what is there now, be
// it newer than what runs.
func Program(args []string) (string, error) {
	if len(args) == 0 {
		return os.Executable()
	}
	path, err := exec.LookPath(args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return os.Executable()
	}
	return path, nil
}

// Environ is what a successor finds in its environment: what this process did,
// but for what a service manager means for this process alone (sd_notify(3),
// sd_listen_fds(3)).
func Environ(own []string) []string {
	return slices.DeleteFunc(slices.Clone(own), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "WATCHDOG_PID" || strings.HasPrefix(name, "LISTEN_")
	})
}
