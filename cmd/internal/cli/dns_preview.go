package cli

import (
	"context"
	"errors"
	"fmt"

	"landfall"
	"landfall/cmd/internal/control"
	"landfall/cmd/internal/geography"
	"landfall/geodns/plan"
)

func dnsPreviewCommand() Command {
	var dir, most string
	var f worldFlags
	var t geography.Trial
	var asJSON bool
	return Command{
		Path:  "dns preview",
		Args:  "NEW",
		Short: "Show who would be sent elsewhere if a network file were in force",
		Long: `Compares the answers by the map in force with those by NEW, a network.toml, all
else as it is now: what share of clients would be told other edges, from which
to which, and what each edge would serve. Clients are weighed by their queries
where the name server has counted them, else by their addresses. Nothing is
changed. --max-move has it fail if more than that share would move.

Asks the name server that runs here; with --network and --geo, compares two
files.`,
		Flags: func(fs *Flags) {
			runningFlag(fs, &dir)
			fs.String(&most, "max-move", "", "fail if more than this `SHARE` of clients would move, such as 5%")
			fs.String(&t.Type, "type", "A", "`TYPE` of answers: A, AAAA or HTTPS")
			fs.Bool(&t.All, "prefixes", "list every prefix that moves")
			fs.Bool(&asJSON, "json", "print JSON")
			f.declare(fs)
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			limit, err := parseMost(most)
			if err != nil {
				return err
			}
			if t.Declared, err = readMap(env, args[0]); err != nil {
				return err
			}
			p, err := preview(ctx, env, dir, f, t)
			if err != nil {
				return err
			}
			if asJSON {
				return errors.Join(printJSON(env.Stdout, p), limit.refuse(p))
			}
			return errors.Join(p.Write(env.Stdout), limit.refuse(p))
		},
	}
}

// mostMoved is how much may move.
type mostMoved struct {
	share   landfall.Share
	limited bool
}

func parseMost(text string) (mostMoved, error) {
	if text == "" {
		return mostMoved{}, nil
	}
	share, err := landfall.ParseShare(text)
	return mostMoved{share, true}, usage("--max-move", err)
}

func (m mostMoved) refuse(p geography.Preview) error {
	if !m.limited || p.Moved <= float64(m.share) {
		return nil
	}
	return fmt.Errorf("%.2f%% of %s would move, and --max-move allows %v", 100*p.Moved, p.Weighted, m.share)
}

// hold previews a file and refuses it if it moves too much, for answers of
// any type.
func (m mostMoved) hold(ctx context.Context, env *Env, dir string, declared *landfall.Map) error {
	if !m.limited {
		return nil
	}
	for _, kind := range []plan.Kind{plan.A, plan.AAAA} {
		p, err := preview(ctx, env, dir, worldFlags{}, geography.Trial{Declared: declared, Type: kind.String()})
		if err != nil {
			return err
		}
		if err := m.refuse(p); err != nil {
			return err
		}
	}
	return nil
}

func preview(ctx context.Context, env *Env, dir string, f worldFlags, t geography.Trial) (p geography.Preview, err error) {
	files, err := f.given()
	if err != nil {
		return p, err
	}
	if !files {
		return p, asked(running(env, dir).Post(ctx, "/dns/preview", t, &p))
	}
	kind, err := geography.ParseKind(t.Type)
	if err != nil {
		return p, usage("--type", err)
	}
	before, err := f.input(env)
	if err != nil {
		return p, err
	}
	after := before
	if after.Map, err = declared(before.Map, t.Declared); err != nil {
		return p, err
	}
	if after.Atlas, err = f.atlas(env, after.Map); err != nil {
		return p, err
	}
	weighted := geography.ByAddresses
	if !before.Weights.Empty() {
		weighted = geography.ByQueries
	}
	return geography.Compare(before.Map, after.Map, plan.Compile(before), plan.Compile(after), kind, weighted, t.All), nil
}

// declared is the map after a file: with its own nodes, or those of before.
func declared(now, file *landfall.Map) (*landfall.Map, error) {
	if len(file.Nodes) > 0 {
		return file, nil
	}
	next := now.Clone()
	_, err := control.Declare(next, file)
	return next, err
}
