package cli

import (
	"context"

	"landfall/cmd/internal/lab"
)

// labOrderCommands change a lab that runs, each as an event of its file would.
func labOrderCommands() []Command {
	return []Command{
		labOrder("cut", "PLACE PLACE", "Let nothing pass between two places of a lab that runs",
			"Until lab heal; packets on their way still arrive."),
		labOrder("heal", "PLACE PLACE", "Undo lab cut", "The link is again as it was."),
		labOrder("change", "PLACE PLACE KEY=VALUE...", "Change the link between two places of a lab that runs",
			`The keys and values are those of a [[link]] in the lab's file, without its
quotes: rtt=80ms, loss=5%, "rate=10 Mbit/s", mtu=1280. Other keys stay as they are.`),
		labOrder("unplug", "HOST", "Take a host of a lab that runs off the internet", "Until lab plug; its programs run on. It takes the Debian package nftables."),
		labOrder("plug", "HOST", "Undo lab unplug", "The host is on the internet again."),
	}
}

func labOrder(verb, args, short, long string) Command {
	var f labFlags
	return Command{
		Path:  "lab " + verb,
		Args:  args,
		Short: short,
		Long:  long + "\n\nThe lab is the one that runs with the same --file, or --dir.",
		Flags: f.declare,
		Run: func(ctx context.Context, env *Env, args []string) error {
			dir, err := f.directory(env)
			if err != nil {
				return err
			}
			return lab.Order(ctx, dir, verb, args)
		},
	}
}
