package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/control"
	"landfall/cmd/internal/server"
)

type setFlags struct {
	dir, roles       string
	addresses, bound []string
	weight, ceiling  string
}

func setCommand() Command {
	var f setFlags
	return Command{
		Path:  "set",
		Args:  "NODE",
		Short: "Change a node's addresses, roles or capacity",
		Long: `For a server that got other addresses, or other work. Write all addresses that
users reach it by; --bound are those that it has itself, where it is behind
NAT. The node takes it up by itself. Ask this on the home server; it works
there also while nothing runs, as when the home server's own address changed.

--ceiling is how many requests a second an edge can serve: name servers send
what is more to the next nearest edges with room. --weight is its part of the
clients for whom other edges are as good, beside the 100 of each. "default"
takes either back.

Of a name server, the zone above has to learn the new addresses too.`,
		Flags: func(fs *Flags) {
			runningFlag(fs, &f.dir)
			fs.Strings(&f.addresses, "address", "public `ADDR` of the server; may be repeated")
			fs.Strings(&f.bound, "bound", "behind NAT: own `ADDR` of the server; may be repeated")
			fs.String(&f.roles, "roles", "", "what the server does: `ROLE,...`")
			fs.String(&f.weight, "weight", "", "`N`, the edge's part beside others of its region")
			fs.String(&f.ceiling, "ceiling", "", "`N` requests a second that the edge can serve")
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			s, err := f.setting(args[0])
			if err != nil {
				return err
			}
			return f.set(ctx, env, s)
		},
	}
}

// set asks what runs, or changes the map itself where nothing does.
func (f setFlags) set(ctx context.Context, env *Env, s control.Setting) error {
	c := running(env, f.dir)
	serial, err := c.Set(ctx, s)
	if errors.Is(err, admin.ErrNotRunning) {
		m, err := server.Change(ctx, stateDir(env, f.dir), env.log(false), s.Change)
		if err == nil {
			_, err = fmt.Fprintf(env.Stdout, "node %s is changed (map serial %d)\nnothing runs here: the others hear of it when it does\n", s.Node, m.Serial)
		}
		return err
	}
	if err != nil {
		return asked(err)
	}
	fmt.Fprintf(env.Stdout, "node %s is changed (map serial %d)\n", s.Node, serial)
	m, err := c.Map(ctx)
	if err != nil {
		return asked(err)
	}
	if n, ok := m.Node(s.Node); ok && len(s.Advertised) > 0 {
		n.Advertised = s.Advertised // the node that is asked may not serve by the new map yet
		if err := explainDelegation(env.Stdout, m, n, "has to say of it now:"); err != nil {
			return err
		}
	}
	return tellLate(ctx, env.Stdout, c, serial)
}

func (f setFlags) setting(node string) (s control.Setting, err error) {
	s.Node = landfall.NodeID(node)
	if len(f.addresses) == 0 && f.roles+f.weight+f.ceiling == "" {
		return s, Usagef("what of %s? Give --address, --roles, --weight or --ceiling", node)
	}
	if len(f.bound) > 0 && len(f.addresses) == 0 {
		return s, Usagef("--bound goes with --address: write all addresses of the server")
	}
	if s.Advertised, err = parseAddresses(f.addresses); err != nil {
		return s, usage("--address", err)
	}
	if s.Bound, err = parseAddresses(f.bound); err != nil {
		return s, usage("--bound", err)
	}
	if s.Weight, err = parseCapacity(f.weight, landfall.MaxWeight); err != nil {
		return s, usage("--weight", err)
	}
	if s.Ceiling, err = parseCapacity(f.ceiling, landfall.MaxCeiling); err != nil {
		return s, usage("--ceiling", err)
	}
	if f.roles != "" {
		s.Roles, err = parseRoles(f.roles)
	}
	return s, usage("--roles", err)
}

// parseCapacity reads a number from 1 to most, "default" as 0, and nothing as
// nil.
func parseCapacity(text string, most int) (*int, error) {
	switch text {
	case "":
		return nil, nil
	case "default":
		return new(0), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return nil, fmt.Errorf("%q: want a whole number from 1 to %d, or default", text, most)
	}
	return &n, nil
}
