package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
)

func statusCommand() Command {
	var dir string
	var asJSON, metrics bool
	return Command{
		Path:  "status",
		Short: "Show the nodes, their map and the paths between them",
		Long: `Asks what runs in a state directory, which asks every node of the network
over the mesh. SERIAL is the map that a node serves by; CERTS are the days until
the first of the certificates ends that an edge shows; PATHS are a node's
peers, with the round-trip time measured now, the share of packets lost, and the
node that relays where the direct way is worse. What an operator should know of
ways stands below, and where each node is in the mesh.

Name servers are listed below with how they fared within the last seconds:
queries a second, the share of them that had a cookie, that were told to come
again by TCP and that were held back, which edges answers named first, and how
old the map is that they answer by.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.Bool(&asJSON, "json", "print all that is known as JSON")
			f.Bool(&metrics, "metrics", "print the asked node's metrics as Prometheus reads them")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if asJSON && metrics {
				return Usagef("--json and --metrics exclude each other")
			}
			c := running(env, dir)
			if metrics {
				return asked(c.Metrics(ctx, env.Stdout))
			}
			o, err := c.Overview(ctx)
			if err != nil {
				return asked(err)
			}
			if asJSON {
				return printJSON(env.Stdout, o)
			}
			return writeOverview(env.Stdout, o, time.Now())
		},
	}
}

func writeOverview(out io.Writer, o admin.Overview, now time.Time) error {
	fmt.Fprintf(out, "network %s, domain %s, home %s, map serial %d\n\n", o.Network, o.Domain, o.Home, o.Serial)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tREGION\tROLES\tSTATE\tSERIAL\tCERTS\tUP\tSERVES\tPATHS")
	for _, n := range o.Nodes {
		who := fmt.Sprintf("%s\t%s\t%s\t%s", n.Node, n.Region, roles(n.Roles), n.State)
		switch {
		case n.State == landfall.Invited:
			fmt.Fprintf(t, "%s\t-\t-\t-\tno: it has not joined yet\t\n", who)
		case n.Error != "":
			fmt.Fprintf(t, "%s\t-\t-\t-\tno: %s\t\n", who, shortFault(n.Error))
		default:
			fmt.Fprintf(t, "%s\t%d\t%s\t%v\t%s\t%s\n", who, n.Serial, certificates(n, now),
				now.Sub(n.Started).Round(time.Second), serves(n, o), paths(n.Paths))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, write := range []func(io.Writer, admin.Overview) error{writeFaults, writeWays, writeFronts} {
		if err := write(out, o); err != nil {
			return err
		}
	}
	if err := writeNameServers(out, o, now); err != nil {
		return err
	}
	return writeKeys(out, o, now)
}

// writeNameServers tells how name servers fare, if there are any.
func writeNameServers(out io.Writer, o admin.Overview, now time.Time) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	none := true
	for _, n := range o.Nodes {
		d := n.DNS
		if d == nil {
			continue
		}
		if none {
			none = false
			fmt.Fprintln(t, "\nDNS\tQUERIES/S\tCOOKIES\tTRUNCATED\tHELD BACK\tMAP\tANSWERS\tLISTENS")
		}
		fmt.Fprintf(t, "%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Node, d.Rate, percent(d.Cookies), percent(d.Truncated), percent(d.Limited),
			mapOf(d, now), edges(d.Edges), strings.Join(d.Listens, " "))
	}
	if none {
		return nil
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range o.Nodes {
		if n.DNS != nil && n.DNS.Refused != "" {
			fmt.Fprintf(out, "\n%s serves what its files said before, as they have faults now (landfall check): %s\n", n.Node, n.DNS.Refused)
		}
	}
	return nil
}

func percent(share float64) string { return fmt.Sprintf("%.3g%%", 100*share) }

func mapOf(d *admin.NameServer, now time.Time) string {
	if d.Issued.IsZero() {
		return fmt.Sprint(d.Serial)
	}
	return fmt.Sprintf("%d, %v old", d.Serial, now.Sub(d.Issued).Round(time.Second))
}

// edges are those that answers named first.
func edges(shares []admin.EdgeShare) string {
	var out []string
	for _, e := range shares {
		out = append(out, fmt.Sprintf("%s %s", e.Edge, percent(e.Share)))
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ", ")
}

// certificates is how long the first certificate of an edge to end is good.
func certificates(n admin.Status, now time.Time) string {
	var least *admin.Certificate
	missing := 0
	for i, c := range n.Certificates {
		switch {
		case c.Until.IsZero():
			missing += len(c.Hosts)
		case least == nil || c.Until.Before(least.Until):
			least = &n.Certificates[i]
		}
	}
	out := "-"
	switch {
	case least != nil && least.Days(now) < 0:
		out = "over"
	case least != nil:
		out = fmt.Sprintf("%dd", least.Days(now))
	case missing > 0:
		return "missing"
	}
	if missing > 0 {
		out += fmt.Sprintf(",%d missing", missing)
	}
	return out
}

func roles(rs []landfall.Role) string {
	var out []string
	for _, r := range rs {
		out = append(out, string(r))
	}
	return strings.Join(out, ",")
}

// serves says whether a node does its work: what it says itself, and for an
// edge what the name servers say of it.
func serves(n admin.Status, o admin.Overview) string {
	if len(n.Waiting) > 0 {
		return "waits for " + strings.Join(n.Waiting, ", ")
	}
	var down []string
	for _, other := range o.Nodes {
		if slices.Contains(other.Down, n.Node) {
			down = append(down, string(other.Node))
		}
	}
	if len(down) > 0 {
		return "yes, but not reached by " + strings.Join(down, ", ")
	}
	return "yes"
}

func paths(ps []admin.Path) string {
	var out []string
	for _, p := range ps {
		if !p.Alive {
			out = append(out, string(p.Peer)+" dead")
			continue
		}
		text := fmt.Sprintf("%s %.1fms %.0f%% lost", p.Peer, float64(p.RTT)/float64(time.Millisecond), 100*p.Loss)
		if p.Via != "" {
			text += fmt.Sprintf(" via %s", p.Via)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
