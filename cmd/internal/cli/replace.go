package cli

import (
	"context"
	"fmt"
	"io"

	"landfall/cmd/internal/control"
)

func replaceCommand() Command {
	var dir string
	return Command{
		Path:  "replace",
		Short: "Replace what runs as this node, without losing a query",
		Long: `Has the process that runs in a state directory start itself anew, by the program
and the node.toml that are there now. The new process takes over the name
server's sockets and answers by what is on disk while the old one ends its other
parts: two processes are never one node of the mesh. Where the new one cannot
serve, the old one goes on, and this command says why.

Queries are all answered. Users of an edge are served as when it is stopped and
started: drain it first where others can take them.`,
		Flags: func(f *Flags) { runningFlag(f, &dir) },
		Run: func(ctx context.Context, env *Env, _ []string) error {
			return replace(ctx, env.Stdout, running(env, dir))
		},
	}
}

func dnsReplaceCommand() Command {
	var state string
	return Command{
		Path:  "dns replace",
		Short: "Replace a running name server without losing a query",
		Long: `Has the "landfall dns serve" that runs with a state directory start itself anew,
by the program and the files that are there now and with the same command line.
The new process takes over the very sockets of the old one. The old one ends
when the new one answers; where that fails, nothing has changed, and this
command says why.

Where something waits for the process itself, as a container does, start the
new one beside the old one: landfall dns serve --replace with all other flags.`,
		Flags: func(f *Flags) { f.Name(&state, "state", "state `DIR` of the name server") },
		Run: func(ctx context.Context, env *Env, _ []string) error {
			if state == "" {
				return Usagef("--state is needed: the directory that landfall dns serve has")
			}
			return replace(ctx, env.Stdout, control.NewClient(env.Path(state)))
		},
	}
}

// replace replaces the process that is asked.
func replace(ctx context.Context, out io.Writer, c *control.Client) error {
	pid, err := c.Replace(ctx)
	if err != nil {
		return asked(err)
	}
	_, err = fmt.Fprintf(out, "replaced: process %d serves now\n", pid)
	return err
}
