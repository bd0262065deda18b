package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"landfall"
	"landfall/cmd/internal/world"
)

// The ports of `landfall dev` that need no root.
const (
	devHTTPS = 8443
	devDNS   = 5300
)

type devFlags struct {
	dir        string
	tour, json bool
	sign       bool
	https, dns int
	ocean      []string
	verbose    bool
}

func devCommand() Command {
	var f devFlags
	return Command{
		Path:  "dev",
		Short: "Run a whole network on this machine: three regions and the oceans between",
		Long: `Starts Frankfurt (home: origin, edge, name server), New York and Singapore
(edge, name server) in one process, with real sockets on loopback addresses
and the oceans' delay put in between. Tells what to type next, measures what
an edge saves a client in New York, and runs until it is interrupted.

Without --dir the state is in a temporary directory that ends with it.`,
		Flags: func(fs *Flags) {
			fs.Name(&f.dir, "dir", "keep all state in `DIR`")
			fs.Bool(&f.tour, "tour", "measure, print the table and exit: 0, or 1 if a step failed")
			fs.Bool(&f.json, "json", "with --tour: print the table as JSON and nothing else")
			fs.Bool(&f.sign, "sign", "sign the zone, and tell how to have an answer validated")
			fs.Int(&f.https, "https-port", devHTTPS, "`PORT` of the edges; 0 finds a free one")
			fs.Int(&f.dns, "dns-port", devDNS, "`PORT` of the name servers; 0 finds a free one")
			fs.Strings(&f.ocean, "ocean", "`A-B=RTT` between two regions, such as fra-nyc=140ms; may be repeated")
			fs.Bool(&f.verbose, "verbose", "log what the nodes do to the standard error")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error { return dev(ctx, env, f) },
	}
}

func dev(ctx context.Context, env *Env, f devFlags) error {
	started := time.Now()
	cfg, err := f.config(env)
	if err != nil {
		return err
	}
	cfg.Started = started
	if cfg.Dir == "" {
		if cfg.Dir, err = os.MkdirTemp("", "landfall-dev-"); err != nil {
			return fmt.Errorf("temporary state directory: %w (set TMPDIR to a directory that is there, or give --dir)", err)
		}
		defer os.RemoveAll(cfg.Dir)
	}
	w, err := world.Open(cfg)
	if err != nil {
		return err
	}
	return live(ctx, env, w, f)
}

// live runs the world until it is over: interrupted, toured or broken.
func live(ctx context.Context, env *Env, w *world.World, f devFlags) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop() // if it broke, nobody need wait for it to serve
		ended <- w.Run(running)
	}()
	shown := show(running, env.Stdout, w, f, cmp.Or(env.Program, "landfall"))
	if shown != nil || f.tour {
		stop()
	}
	err := <-ended
	switch {
	case err != nil:
		return err // what was shown, or could not be, follows from it
	case shown == nil || ctx.Err() == nil:
		return shown
	case f.tour:
		return errors.New("interrupted before the tour was over")
	}
	return nil // interrupted, which is how it ends
}

func (f devFlags) config(env *Env) (world.Config, error) {
	c := world.Config{Ocean: world.DefaultOcean(), Version: version(), Sign: f.sign, Log: env.log(f.verbose)}
	if f.dir != "" {
		dir, err := filepath.Abs(env.Path(f.dir)) // for whoever pastes what is printed elsewhere
		if err != nil {
			return c, fmt.Errorf("--dir: %w", err)
		}
		c.Dir = dir
	}
	if f.json && !f.tour {
		return c, Usagef("--json goes with --tour")
	}
	if err := errors.Join(portFault("--https-port", f.https), portFault("--dns-port", f.dns)); err != nil {
		return c, err
	}
	c.Ports = landfall.Ports{HTTPS: uint16(f.https), DNS: uint16(f.dns)}
	network, err := world.Network()
	if err != nil {
		return c, err
	}
	for _, s := range f.ocean {
		leg, err := world.ParseLeg(s, network.Regions)
		if err != nil {
			return c, Usagef("--ocean: %v", err)
		}
		c.Ocean = append(c.Ocean, leg)
	}
	return c, nil
}

// show waits until the world serves and tells what there is to see.
func show(ctx context.Context, out io.Writer, w *world.World, f devFlags, program string) error {
	if err := w.Ready(ctx); err != nil {
		return err
	}
	if !f.json {
		fmt.Fprintf(out, "ready in %.2f s\n\n", w.ReadyAfter().Seconds())
	}
	if !f.tour {
		if err := w.WriteGuide(out, program); err != nil {
			return err
		}
	}
	report, err := w.Tour(ctx)
	if err != nil && !f.tour && ctx.Err() == nil {
		_, err = fmt.Fprintf(out, "%v\nThe network goes on; Ctrl-C ends it.\n", err)
		return err
	}
	if err != nil {
		return err
	}
	if f.json {
		return report.WriteJSON(out)
	}
	if err := report.WriteTable(out); err != nil || f.tour {
		return err
	}
	_, err = fmt.Fprintln(out, "\nCtrl-C ends it.")
	return err
}

func portFault(flag string, port int) error {
	if port < 0 || port > 65535 {
		return Usagef("%s %d: a port is a number from 0 to 65535", flag, port)
	}
	return nil
}
