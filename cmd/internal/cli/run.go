package cli

import (
	"context"
	"fmt"

	"landfall/cmd/internal/server"
)

func runCommand() Command {
	var dir string
	var verbose, replace bool
	return Command{
		Path:  "run",
		Short: "Serve as the node that this server is",
		Long: `Serves what the network's map says of this node: origin, edge, name server.
Starts from what is on disk, with nobody else alive if need be. What it needs
to know is in node.toml in the state directory, which "landfall init" or
"landfall join" wrote. Runs until it is interrupted; ends by itself when the
node is removed from the network.

Under systemd it says when it is ready and gives signs of life (Type=notify,
WatchdogSec=), and takes sockets that are handed to it, named https, http, dns
or mesh (FileDescriptorName=).`,
		Flags: func(f *Flags) {
			stateFlag(f, &dir)
			f.Bool(&replace, "replace", "take the place of the process that serves by the same directory, if there is one")
			f.Bool(&verbose, "verbose", "log more")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			return server.Run(ctx, server.Config{
				Dir: stateDir(env, dir), Replace: replace, Version: version(), Log: env.serviceLog(verbose),
				Started: func(s server.Serving) {
					fmt.Fprintf(env.Stdout, "%s of network %s serves %s at %s by map serial %d\n",
						s.Node.ID, s.Network, roles(s.Node.Roles), addresses(s.Node.Advertised), s.Serial)
				},
			})
		},
	}
}
