package cli

import (
	"context"

	"landfall/cmd/internal/geography"
	"landfall/geodns/plan"
)

func dnsExplainCommand() Command {
	var dir string
	var f worldFlags
	var q geography.Question
	var asJSON bool
	return Command{
		Path:  "dns explain",
		Args:  "[ADDRESS] [NAME]",
		Short: "Tell every step from an address to the edges it is told",
		Long: `ADDRESS is that of a client, or a prefix as the client subnet of a query has
it; without one, of clients that give none away. NAME is a service (default:
the first). Tells where the client is and who says so, what was measured, which
regions are preferred, every edge with its distance, state and load and why it
is named or not, and the scope for which all of that is true.

Asks the name server that runs here; with --network and --geo, what one would
answer by these files. --resolver is for the address of a resolver that does not
tell whom it asks for.`,
		Flags: func(fs *Flags) {
			runningFlag(fs, &dir)
			fs.String(&q.Type, "type", "A", "`TYPE` of the question: A, AAAA or HTTPS")
			fs.Bool(&q.Resolver, "resolver", "ADDRESS is a resolver that sends no client subnet")
			fs.Bool(&asJSON, "json", "print JSON")
			f.declare(fs)
		},
		Run: func(ctx context.Context, env *Env, args []string) error {
			if len(args) > 0 {
				q.Address = args[0]
			}
			if len(args) > 1 {
				q.Name = args[1]
			}
			e, err := explain(ctx, env, dir, f, q)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(env.Stdout, e)
			}
			return e.Write(env.Stdout)
		},
	}
}

func explain(ctx context.Context, env *Env, dir string, f worldFlags, q geography.Question) (e geography.Explanation, err error) {
	files, err := f.given()
	if err != nil {
		return e, err
	}
	if err := q.Check(); err != nil {
		return e, Usagef("%v", err)
	}
	if files {
		in, err := f.input(env)
		if err != nil {
			return e, err
		}
		e, err = geography.Explain(in.Map, plan.Compile(in), q, nil)
		return e, err
	}
	return e, asked(running(env, dir).Post(ctx, "/dns/explain", q, &e))
}
