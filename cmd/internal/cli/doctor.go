package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/doctor"
	"landfall/cmd/internal/server"
)

func doctorCommand() Command {
	var dir string
	var resolvers []string
	var asJSON, all bool
	return Command{
		Path:  "doctor",
		Short: "Find out what keeps this node from serving well, and the cure",
		Long: `Examines this node from the disk outwards: state directory, speed of the disk,
limits, kernel, clock, paths to the other nodes and their MTU, what the other
nodes can reach of this one, the delegation and glue as resolvers see them,
aliases of external hosts, CAA, certificates, upstreams. Each finding that is
not good comes with its cure. Exits with 1 if something does not work.

Names are asked of the resolvers in /etc/resolv.conf.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.Strings(&resolvers, "resolver", "ask `ADDR` about names, as users would; may be repeated")
			f.Bool(&all, "all", "print what is well, too")
			f.Bool(&asJSON, "json", "print all findings as JSON")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			who, err := parseResolvers(resolvers)
			if err != nil {
				return err
			}
			found, err := examine(ctx, env, dir, who)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(env.Stdout, found)
			} else {
				err = writeFindings(env.Stdout, found, all)
			}
			if err == nil && doctor.Failed(found) {
				return errors.New("something does not work")
			}
			return err
		},
	}
}

// parseResolvers reads the flag, or else the system's file.
func parseResolvers(given []string) (out []netip.AddrPort, err error) {
	if len(given) == 0 {
		b, err := os.ReadFile("/etc/resolv.conf")
		if err != nil {
			return nil, fmt.Errorf("resolvers: %w (name one with --resolver)", err)
		}
		return doctor.ParseResolvers(string(b)), nil
	}
	for _, s := range given {
		at, err := netip.ParseAddrPort(s)
		if a, plain := netip.ParseAddr(s); plain == nil {
			at, err = netip.AddrPortFrom(a, 53), nil
		}
		if err != nil {
			return nil, Usagef("--resolver %s: want an address, such as 192.0.2.53, with a port or without", s)
		}
		out = append(out, at)
	}
	return out, nil
}

// examine has the node that runs examine itself, or looks from outside where
// none runs.
func examine(ctx context.Context, env *Env, dir string, resolvers []netip.AddrPort) (found []doctor.Finding, err error) {
	q := url.Values{}
	for _, r := range resolvers {
		q.Add("resolver", r.String())
	}
	err = running(env, dir).Get(ctx, "/doctor?"+q.Encode(), &found)
	if !errors.Is(err, admin.ErrNotRunning) {
		return found, asked(err)
	}
	down := doctor.Finding{
		Level: doctor.Fail, Check: "running", What: fmt.Sprintf("nothing runs in %s: much cannot be examined", stateDir(env, dir)),
		Cure: "systemctl start landfall",
	}
	found, err = server.Examine(ctx, stateDir(env, dir), resolvers)
	return append([]doctor.Finding{down}, found...), err
}

// writeFindings prints what is not well with its cure, and counts the rest.
func writeFindings(out io.Writer, found []doctor.Finding, all bool) error {
	p := &printer{out: out}
	count := map[doctor.Level]int{}
	for _, f := range found {
		count[f.Level]++
		if f.Level == doctor.OK && !all {
			continue
		}
		p.line("%-4s  %-12s  %s", f.Level, f.Check, f.What)
		for line := range strings.Lines(f.Cure) {
			p.line("      cure:         %s", strings.TrimRight(line, "\n"))
		}
	}
	p.line("%d well, %d could be better, %d do not work", count[doctor.OK], count[doctor.Warn], count[doctor.Fail])
	return p.err
}
