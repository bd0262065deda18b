package load

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Pin calls f on a core: the processes that f starts stay there.
func Pin(core int, f func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("go to core %d: %w", core, err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &before)) }()
	return f()
}

// Apart runs a Load in a process of its own on a core: argv is a command that
// calls Serve with its standard input and output.
func (l Load) Apart(ctx context.Context, core int, argv ...string) (saw Saw, err error) {
	var in, out, complaints bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(l); err != nil {
		return saw, err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &complaints
	if err := Pin(core, cmd.Start); err != nil {
		return saw, err
	}
	if err := cmd.Wait(); err != nil {
		return saw, fmt.Errorf("load: %w: %s", err, complaints.Bytes())
	}
	if err := gob.NewDecoder(&out).Decode(&saw); err != nil {
		return saw, fmt.Errorf("load: read what it saw: %w", err)
	}
	saw.Busy = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return saw, nil
}

// Serve runs the Load that it reads, and writes what it saw.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var l Load
	if err := gob.NewDecoder(in).Decode(&l); err != nil {
		return fmt.Errorf("load: read what to ask: %w", err)
	}
	saw, err := l.Run(ctx)
	if err != nil {
		return err
	}
	return gob.NewEncoder(out).Encode(saw)
}
