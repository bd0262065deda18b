package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"landfall"
	"landfall/cmd/internal/config"
)

func checkCommand() Command {
	var example bool
	return Command{
		Path:  "check",
		Args:  "[FILE...]",
		Short: "Tell everything that is wrong with a network file",
		Long: `Reads each FILE ("-" is the standard input; without any, network.toml) and
tells all its faults in one go, each with line, column and a cure. Nothing
is started or changed. docs/network.md explains what the file can say.`,
		Flags: func(f *Flags) {
			f.Bool(&example, "example", "print a file that uses and explains every key, and exit")
		},
		Run: func(_ context.Context, env *Env, args []string) error {
			switch {
			case example && len(args) > 0:
				return Usagef("--example takes no file")
			case example:
				_, err := io.WriteString(env.Stdout, config.Example())
				return err
			case len(args) == 0:
				args = []string{"network.toml"}
			}
			return check(env, args)
		},
	}
}

// check reads all files, also after a bad one.
func check(env *Env, names []string) error {
	if i := slices.Index(names, "-"); i >= 0 && slices.Contains(names[i+1:], "-") {
		return Usagef("the standard input can be read once")
	}
	var problems []config.Problem
	var errs []error
	for _, name := range names {
		r, err := readNetwork(env, name, func(string) {})
		if len(r.Problems) > 0 {
			problems = append(problems, r.Problems...)
			continue
		}
		if err == nil {
			_, err = fmt.Fprintf(env.Stdout, "%s: ok: %s\n%s", title(name), summary(r.Map), explained(r.Notes))
		}
		errs = append(errs, err)
	}
	if len(problems) > 0 {
		errs = append(errs, &config.Error{Problems: problems})
	}
	return errors.Join(errs...)
}

// explained are notes in full.
func explained(notes []config.Problem) string {
	var b strings.Builder
	for _, n := range notes {
		n.Msg = "note: " + n.Msg
		b.WriteString(n.Explain())
	}
	return b.String()
}

// summary counts what is in a map.
func summary(m *landfall.Map) string {
	said := fmt.Sprintf("%s, %s, %s",
		count(len(m.Regions), "region"), count(len(m.Nodes), "node"), count(len(m.Services), "service"))
	if len(m.Zones) > 0 {
		records := 0
		for _, z := range m.Zones {
			records += len(z.Records)
		}
		said += fmt.Sprintf(", %s with %s", count(len(m.Zones), "zone"), count(records, "record"))
	}
	return said
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
