package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Replaceable is a kind of name server that another process can take over
// from while it answers.
type Replaceable struct {
	Kind
	Replace func(context.Context, Site) error // returns when the new process answers
	End     func(context.Context, Site) error // ends the last of them
}

// Replaceables are all of them.
func Replaceables() []Replaceable {
	var successor process
	return []Replaceable{
		{Kind: Kind{"landfall", LandfallStateful}, Replace: successor.takeOver, End: successor.end},
		{Kind: Kind{"gdnsd", GDNSD}, Replace: gdnsdctl("replace"), End: gdnsdctl("stop")},
	}
}

func gdnsdctl(deed string) func(context.Context, Site) error {
	return func(ctx context.Context, s Site) error {
		path, err := program("gdnsdctl")
		if err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, path, "-c", filepath.Join(s.Dir, "gdnsd"), deed).CombinedOutput()
		if err != nil {
			return fmt.Errorf("gdnsdctl %s: %w: %s", deed, err, out)
		}
		return nil
	}
}

// process is the last of those that took over from one another; 0 while the
// first serves.
type process int

// takeOver has the running Landfall replaced.
func (p *process) takeOver(ctx context.Context, s Site) error {
	out, err := exec.CommandContext(ctx, s.Landfall, "dns", "replace", "--state", s.state()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dns replace: %w: %s", err, out)
	}
	if i := bytes.Index(out, []byte("process ")); i >= 0 {
		if _, err := fmt.Sscanf(string(out[i:]), "process %d", p); err == nil {
			return nil
		}
	}
	return fmt.Errorf("dns replace does not say who serves: %s", out)
}

// end ends the last, and waits until it is gone.
func (p *process) end(ctx context.Context, _ Site) error {
	if *p == 0 {
		return nil
	}
	pid := int(*p)
	*p = 0
	for err := syscall.Kill(pid, syscall.SIGTERM); !errors.Is(err, syscall.ESRCH); err = syscall.Kill(pid, 0) {
		if err != nil {
			return fmt.Errorf("end process %d: %w", pid, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func (s Site) state() string { return filepath.Join(s.Dir, "landfall", "state") }
