package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/control"
)

func drainCommand() Command {
	var dir string
	var undo bool
	return Command{
		Path:  "drain",
		Args:  "NODE",
		Short: "Stop sending users to a node, without losing those who are there",
		Long: `Writes a map in which NODE is draining. Name servers stop naming it at once;
it goes on serving whoever still comes, and cuts no request and no stream.
Returns when every node has the map. --undo takes the node in again.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.Bool(&undo, "undo", "take the node in again")
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			c := running(env, dir)
			return drain(ctx, env.Stdout, c, landfall.NodeID(args[0]), undo)
		},
	}
}

func drain(ctx context.Context, out io.Writer, c *control.Client, node landfall.NodeID, undo bool) error {
	to := landfall.Draining
	if undo {
		to = landfall.Active
	}
	serial, err := c.SetState(ctx, node, to)
	if err != nil {
		return asked(err)
	}
	what := "draining: no name server names it any more"
	if undo {
		what = "active again"
	}
	if _, err := fmt.Fprintf(out, "node %s is %s (map serial %d)\n", node, what, serial); err != nil {
		return err
	}
	return tellLate(ctx, out, c, serial)
}

// tellLate waits until every node serves by a map, and says which do not: the
// map is in force, and they catch up. Whoever does not want to wait, need not.
func tellLate(ctx context.Context, out io.Writer, c *control.Client, serial landfall.Serial, but ...landfall.NodeID) error {
	late, err := spread(ctx, c, serial, but...)
	switch {
	case ctx.Err() != nil:
		_, err = fmt.Fprintln(out, "not waited until every node has heard of it; `landfall status` tells")
	case err == nil && len(late) > 0:
		_, err = fmt.Fprintf(out, "these nodes have yet to hear of it, and do when they are back: %s\n", strings.Join(late, ", "))
	}
	return asked(err)
}

// spreadTimeout is how long drain waits for nodes that may be down.
const spreadTimeout = 5 * time.Second

// spread waits until every node but some serves by a map, and tells which do
// not.
func spread(ctx context.Context, c *control.Client, serial landfall.Serial, but ...landfall.NodeID) ([]string, error) {
	deadline := time.Now().Add(spreadTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// The node that is asked may be starting anew, by this very map.
		o, err := c.Overview(ctx)
		late := behind(o, serial, but)
		if err == nil && len(late) == 0 || time.Now().After(deadline) {
			return late, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func behind(o admin.Overview, serial landfall.Serial, but []landfall.NodeID) (late []string) {
	for _, n := range o.Nodes {
		if n.Serial < serial && n.State != landfall.Invited && !slices.Contains(but, n.Node) {
			late = append(late, string(n.Node))
		}
	}
	return late
}
