package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"landfall/cmd/internal/config"
)

const about = "Landfall turns a handful of servers into an edge network for one application."

const exits = `Exit status:
  0  done
  1  tried and failed
  2  nothing was tried: a wrong command line, or faults in a network file
  3  a node or server that was asked did not answer
`

func helpCommand() Command {
	return Command{
		Path:  "help",
		Args:  "[COMMAND...]",
		Short: "Explain a command, or list all",
		Run: func(_ context.Context, env *Env, args []string) error {
			commands, path := Commands(), strings.Join(args, " ")
			if _, ok := lookup(commands, path); ok || path == "" || len(below(commands, path)) > 0 {
				return printHelp(env, commands, path)
			}
			var paths []string
			for _, c := range commands {
				paths = append(paths, c.Path)
			}
			if meant, ok := config.Nearest(path, paths); ok {
				return Usagef("there is no command %q; did you mean %q?", path, meant)
			}
			return Usagef("there is no command %q", path)
		},
	}
}

// printHelp writes the help of a command, of the commands below a path, or
// of all.
func printHelp(env *Env, commands []Command, path string) error {
	text := helpAll(commands)
	if c, ok := lookup(commands, path); ok {
		text = helpOne(c)
	} else if path != "" {
		text = fmt.Sprintf("Usage: landfall %s COMMAND\n\nCommands:\n%s", path, list(below(commands, path)))
	}
	_, err := io.WriteString(env.Stdout, text)
	return err
}

func helpAll(commands []Command) string {
	return about + "\n\nUsage: landfall COMMAND [ARGUMENT...] [FLAGS]\n\nCommands:\n" + list(commands) +
		"\n" + exits + "\n\"landfall help COMMAND\" explains one.\n"
}

func helpOne(c Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n\n%s.\n", c.usage(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	var rows [][2]string
	for _, f := range c.flags() {
		usage := f.usage
		if f.def != "" {
			usage += " (default " + f.def + ")"
		}
		rows = append(rows, [2]string{strings.TrimSpace("--" + f.name + " " + f.value), usage})
	}
	if len(rows) > 0 {
		fmt.Fprintf(&b, "\nFlags:\n%s", columns(rows))
	}
	return b.String()
}

// list is one line for each command.
func list(commands []Command) string {
	var rows [][2]string
	for _, c := range commands {
		rows = append(rows, [2]string{strings.TrimSpace(c.Path + " " + c.Args), c.Short})
	}
	return columns(rows)
}

// columns sets rows of two texts, the second ones below each other.
func columns(rows [][2]string) string {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, r[0], r[1])
	}
	return b.String()
}

// nextWords are the words that can follow path.
func nextWords(commands []Command, path string) []string {
	var out []string
	for _, c := range commands {
		rest, ok := strings.CutPrefix(c.Path, path)
		if words := strings.Fields(rest); ok && len(words) > 0 && !slices.Contains(out, words[0]) && (path == "" || rest[0] == ' ') {
			out = append(out, words[0])
		}
	}
	return out
}

// groupShort tells what is below a path.
func groupShort(commands []Command, path string) string {
	return "Commands: " + strings.Join(nextWords(commands, path), ", ")
}
