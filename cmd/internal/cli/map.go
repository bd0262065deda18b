package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/control"
	"landfall/mesh/mapsync"
)

func mapShowCommand() Command {
	var dir string
	var asJSON bool
	return Command{
		Path:  "map show",
		Short: "Print the map in force, as network.toml writes it",
		Long: `Prints what operators declared, in the form of network.toml, and the nodes that
have joined as comments: "landfall map show > network.toml" makes a file that
changes nothing when it is applied.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.Bool(&asJSON, "json", "print all that the map holds as JSON")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			c := running(env, dir)
			m, err := c.Map(ctx)
			if err != nil {
				return asked(err)
			}
			if asJSON {
				return printJSON(env.Stdout, m)
			}
			_, err = io.WriteString(env.Stdout, config.Write(m, false)+nodeComments(m))
			return err
		},
	}
}

// nodeComments tells of the nodes in lines that network.toml passes over.
func nodeComments(m *landfall.Map) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n# Map serial %d, signed %s. Its nodes, which join and are not declared:\n", m.Serial, m.Issued.Format("2006-01-02 15:04:05 MST"))
	for _, n := range m.Nodes {
		fmt.Fprintf(&b, "#   %s in %s: %s, %s", n.ID, n.Region, roles(n.Roles), n.EffectiveState())
		if len(n.Advertised) > 0 {
			fmt.Fprintf(&b, ", at %s", addresses(n.Advertised))
		}
		if len(n.Bound) > 0 {
			fmt.Fprintf(&b, ", bound to %s", addresses(n.Bound))
		}
		if n.Weight != 0 {
			fmt.Fprintf(&b, ", weight %d", n.Weight)
		}
		if n.Ceiling != 0 {
			fmt.Fprintf(&b, ", ceiling %d requests a second", n.Ceiling)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func mapDiffCommand() Command {
	var dir string
	return Command{
		Path:  "map diff",
		Args:  "[FILE]",
		Short: "Show what applying a network file would change",
		Long: `Compares FILE ("-" is the standard input; default: network.toml) with the map
in force. Nothing is changed.`,
		Flags: func(f *Flags) { runningFlag(f, &dir) },
		Run: func(ctx context.Context, env *Env, args []string) error {
			_, p, err := propose(ctx, env, dir, args)
			if err != nil {
				return err
			}
			return p.write(env.Stdout)
		},
	}
}

func mapApplyCommand() Command {
	var dir, most string
	return Command{
		Path:  "map apply",
		Args:  "[FILE]",
		Short: "Put a network file in force",
		Long: `Checks FILE ("-" is the standard input; default: network.toml), shows what it
changes, and has the home server sign the next map. Returns when every node
has it; a node that is down catches up when it is back. Fails, and changes
nothing, if somebody else changed the map meanwhile. --max-move has it fail, too,
if more than that share of clients would be sent elsewhere, which "landfall dns
preview" shows. Ask this on the home server.`,
		Flags: func(f *Flags) {
			runningFlag(f, &dir)
			f.String(&most, "max-move", "", "fail if more than this `SHARE` of clients would move, such as 5%")
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			limit, err := parseMost(most)
			if err != nil {
				return err
			}
			c, p, err := propose(ctx, env, dir, args)
			if err != nil {
				return err
			}
			if err := p.write(env.Stdout); err != nil || len(p.changes) == 0 {
				return err
			}
			if err := limit.hold(ctx, env, dir, p.declared); err != nil {
				return err
			}
			done, err := c.Apply(ctx, control.Application{Base: p.now.Serial, Declared: p.declared})
			if err != nil {
				return asked(err)
			}
			if _, err := fmt.Fprintf(env.Stdout, "in force by map serial %d\n", done.Serial); err != nil {
				return err
			}
			return tellLate(ctx, env.Stdout, c, done.Serial)
		},
	}
}

// planned is what a file would change.
type planned struct {
	now, declared *landfall.Map
	changes       []landfall.Change
	kept          []landfall.RegionID
}

func propose(ctx context.Context, env *Env, dir string, args []string) (*control.Client, planned, error) {
	name := "network.toml"
	if len(args) > 0 {
		name = args[0]
	}
	declared, err := readMap(env, name)
	if err != nil {
		return nil, planned{}, err
	}
	c := running(env, dir)
	now, err := c.Map(ctx)
	if err != nil {
		return nil, planned{}, asked(err)
	}
	if now.Serial == 0 {
		return nil, planned{}, Unreachable(errors.New("this node has no map yet: it waits for the home region"))
	}
	next := now.Clone()
	kept, err := control.Declare(next, declared)
	if err == nil {
		err = unlawful(now, next)
	}
	if err != nil {
		return nil, planned{}, Usagef("%s: %v", title(name), err)
	}
	return c, planned{now, declared, landfall.Diff(now, next), kept}, nil
}

// unlawful is what keeps a map from following the one in force.
func unlawful(now, next *landfall.Map) error {
	var errs []error
	for _, f := range append(next.Check(), mapsync.Lawful(now, next)...) {
		errs = append(errs, errors.New(f.Msg+" ("+f.Cure+")"))
	}
	return errors.Join(errs...)
}

func (p planned) write(out io.Writer) error {
	w := &printer{out: out}
	for _, id := range p.kept {
		r, _ := p.now.Region(id)
		w.line("region %s is kept, because nodes stand in it; write it into the file: [[region]] id = %q, place = %q", id, id, r.Place)
	}
	for _, c := range p.changes {
		w.line("%v", c)
	}
	if len(p.changes) == 0 {
		w.line("nothing changes: map serial %d says the same", p.now.Serial)
	}
	return w.err
}
