package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/control"
)

func certsListCommand() Command {
	var dir string
	var asJSON bool
	return Command{
		Path:  "certs list",
		Short: "List the certificates of the network",
		Long: `Lists every certificate that the home server keeps for the edges: the hosts it
is for, who signed it, the days it has left, and what went wrong if the last
attempt to get a new one failed. Ask this on the home server.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.Bool(&asJSON, "json", "print all that is known as JSON")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			c := running(env, dir)
			list, err := c.Certificates(ctx)
			if err != nil {
				return asked(err)
			}
			if asJSON {
				return printJSON(env.Stdout, list)
			}
			return writeCertificates(env.Stdout, list, time.Now())
		},
	}
}

func writeCertificates(out io.Writer, list []admin.Certificate, now time.Time) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no certificates: the map has no services (`landfall map apply` brings some)")
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOSTS\tISSUER\tDAYS LEFT\tUNTIL\tSTATE")
	for _, c := range list {
		days, until := "-", "-"
		if !c.Until.IsZero() {
			days, until = fmt.Sprint(c.Days(now)), c.Until.UTC().Format("2006-01-02")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", someHosts(c.Hosts), cmp.Or(c.Issuer, "-"), days, until, certificateState(c))
	}
	return t.Flush()
}

// someHosts are few enough for a cell of a table; --json has them all.
func someHosts(hosts []string) string {
	const some = 3
	if len(hosts) > some {
		return fmt.Sprintf("%s and %d more", strings.Join(hosts[:some], ","), len(hosts)-some)
	}
	return strings.Join(hosts, ",")
}

func certificateState(c admin.Certificate) string {
	state := c.State
	if c.Error != "" {
		state += ": " + strings.Join(strings.Fields(c.Error), " ")
	}
	if c.Error != "" && !c.Next.IsZero() {
		state += "; next attempt " + c.Next.UTC().Format("2006-01-02 15:04:05 MST")
	}
	if c.Revoking > 0 {
		state += fmt.Sprintf("; %d still to be revoked", c.Revoking)
	}
	return state
}

// irrevocable is what to know of the network's own authority.
const irrevocable = "the network's own authority cannot take certificates back: the old ones are good until they end, for whoever trusts its root"

func certsRenewCommand() Command {
	var dir string
	var revoke bool
	return Command{
		Path:  "certs renew",
		Args:  "[HOST...]",
		Short: "Order certificates anew, with fresh keys",
		Long: `Orders the certificates of the given hosts anew, or all without any, and
returns when the edges can have them. --revoke tells the authority that the old
keys may be in wrong hands. Ask this on the home server.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.Bool(&revoke, "revoke", "revoke the old certificates")
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			c := running(env, dir)
			fmt.Fprintln(env.Stdout, "ordering; an authority may take a minute")
			done, err := c.Renew(ctx, control.Renewal{Hosts: args, Revoke: revoke})
			if err != nil {
				return asked(err)
			}
			if done.Irrevocable {
				fmt.Fprintln(env.Stdout, irrevocable)
			}
			list, err := c.Certificates(ctx)
			if err != nil {
				return asked(err)
			}
			return writeCertificates(env.Stdout, list, time.Now())
		},
	}
}
