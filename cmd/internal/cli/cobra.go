package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"landfall/cmd/internal/config"
)

// Flags declares the flags of one command. A word of a usage text between
// backquotes is the name that the help gives to the flag's value.
type Flags struct{ set *pflag.FlagSet }

// Bool declares a switch that is off unless given.
func (f *Flags) Bool(to *bool, name, usage string) { f.set.BoolVar(to, name, false, usage) }

// String declares a flag with a text.
func (f *Flags) String(to *string, name, def, usage string) { f.set.StringVar(to, name, def, usage) }

// Name declares a flag with a file's or directory's name. Given, it must not
// be empty: a variable that was not set is not the same as no flag.
func (f *Flags) Name(to *string, name, usage string) { f.set.Var((*fileName)(to), name, usage) }

type fileName string

func (n *fileName) Set(s string) error {
	if s == "" {
		return errors.New("the name is empty")
	}
	*n = fileName(s)
	return nil
}

func (n *fileName) String() string { return string(*n) }
func (n *fileName) Type() string   { return "name" }

// Strings declares a flag that may be given several times.
func (f *Flags) Strings(to *[]string, name, usage string) {
	f.set.StringArrayVar(to, name, nil, usage)
}

// Rest ends the flags at the first argument: what follows it belongs to
// another command.
func (f *Flags) Rest() { f.set.SetInterspersed(false) }

// Int declares a flag with a whole number.
func (f *Flags) Int(to *int, name string, def int, usage string) { f.set.IntVar(to, name, def, usage) }

// Duration declares a flag with a duration such as 30s.
func (f *Flags) Duration(to *time.Duration, name string, def time.Duration, usage string) {
	f.set.DurationVar(to, name, def, usage)
}

// flagHelp is what the help says of a flag.
type flagHelp struct{ name, value, usage, def string }

// flags lists the command's flags by name.
func (c Command) flags() []flagHelp {
	if c.Flags == nil {
		return nil
	}
	set := pflag.NewFlagSet(c.Path, pflag.ContinueOnError)
	c.Flags(&Flags{set})
	var out []flagHelp
	set.VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		h := flagHelp{name: f.Name, value: value, usage: usage}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			h.def = f.DefValue
			if f.Value.Type() == "duration" {
				h.def = config.Duration(h.def)
			}
		}
		out = append(out, h)
	})
	return out
}

// tree is the table as cobra wants it.
type tree struct {
	commands []Command
	root     *cobra.Command
	helpErr  error // of writing the help, which cobra would lose
}

func newTree(env *Env, commands []Command) *tree {
	t := &tree{commands: commands}
	t.root = t.group("")
	var version bool
	t.root.Flags().BoolVar(&version, "version", false, "")
	t.root.RunE = func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return named(t.root, t.unknown("", args[0]))
		case version:
			return printVersion(env)
		}
		return printHelp(env, t.commands, "")
	}
	t.root.SetOut(env.Stdout)
	t.root.SetErr(env.Stderr)
	t.root.SilenceErrors, t.root.SilenceUsage = true, true
	t.root.CompletionOptions.DisableDefaultCmd = true
	t.root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return named(c, flagError(c, err)) })
	t.root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		t.helpErr = printHelp(env, t.commands, path(c))
	})
	for _, c := range t.commands {
		t.add(env, c)
	}
	return t
}

// path is how the table calls a cobra command.
func path(c *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "landfall"), " ")
}

// add hangs a command into the tree, below the groups of its path.
func (t *tree) add(env *Env, c Command) {
	parent := t.root
	words := strings.Fields(c.Path)
	for i, word := range words[:len(words)-1] {
		parent = t.child(parent, word, strings.Join(words[:i+1], " "))
	}
	cc := &cobra.Command{
		Use:   words[len(words)-1],
		Short: c.Short,
		Args:  func(cc *cobra.Command, args []string) error { return named(cc, c.argsError(args)) },
		RunE: func(cc *cobra.Command, args []string) error {
			return named(cc, c.Run(cc.Context(), env, args))
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			if c.takesFiles() {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return c.choices(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	if c.Flags != nil {
		c.Flags(&Flags{cc.Flags()})
		cc.Flags().VisitAll(func(f *pflag.Flag) { _, f.Usage = pflag.UnquoteUsage(f) }) // for completions
	}
	if c.Path == "help" {
		t.root.SetHelpCommand(cc) // else cobra adds one of its own
		return
	}
	parent.AddCommand(cc)
}

// child finds or makes the group of a word below parent.
func (t *tree) child(parent *cobra.Command, word, path string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == word {
			return c
		}
	}
	g := t.group(path)
	parent.AddCommand(g)
	return g
}

// group is a word that other words follow. Called alone it says which.
func (t *tree) group(path string) *cobra.Command {
	words := strings.Fields("landfall " + path)
	return &cobra.Command{
		Use:   words[len(words)-1],
		Short: groupShort(t.commands, path),
		Args:  cobra.ArbitraryArgs,
		RunE: func(cc *cobra.Command, args []string) error {
			if len(args) > 0 {
				return named(cc, t.unknown(path, args[0]))
			}
			return named(cc, Usagef("which of them: %s?", strings.Join(nextWords(t.commands, path), ", ")))
		},
	}
}

// unknown is the error for a word that no command below path begins with.
func (t *tree) unknown(path, word string) error {
	msg := fmt.Sprintf("unknown command %q", word)
	if meant, ok := config.Nearest(word, nextWords(t.commands, path)); ok {
		msg += fmt.Sprintf("; did you mean %q?", strings.TrimSpace("landfall "+path)+" "+meant)
	}
	return Usagef("%s", msg)
}

// named says which command err comes from and, if it was called wrongly, what
// help to read.
func named(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	if path := path(c); path != "" && !strings.HasPrefix(err.Error(), path+" ") {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		help := strings.TrimSpace("landfall help " + strings.TrimPrefix(path(c), "help"))
		return fmt.Errorf("%w (see %q)", err, help)
	}
	return err
}

// flagError says what is wrong with a flag in our own words.
func flagError(c *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		given := "--" + e.GetSpecifiedName()
		if short := e.GetSpecifiedShortnames(); short != "" {
			given = "-" + short
		}
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if meant, ok := config.Nearest(strings.TrimLeft(given, "-"), names); ok {
			return Usagef("unknown flag %s; did you mean --%s?", given, meant)
		}
		return Usagef("unknown flag %s", given)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return Usagef("flag --%s needs a value", e.GetFlag().Name)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return Usagef("flag --%s: %q is not %s", e.GetFlag().Name, e.GetValue(), typeName(e.GetFlag().Value.Type()))
	}
	return Usagef("%v", err)
}

func typeName(pflagType string) string {
	switch pflagType {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	case "duration":
		return `a duration such as "30s"`
	}
	return "a " + pflagType
}

// execute runs a command line with the commands of a table.
func execute(ctx context.Context, env *Env, commands []Command, args []string) error {
	t := newTree(env, commands)
	t.root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	err := t.root.ExecuteContext(ctx)
	return errors.Join(err, t.helpErr)
}

// writeCompletion writes the script that teaches a shell our commands.
func writeCompletion(env *Env, w io.Writer, shell string) error {
	root := newTree(env, Commands()).root
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(w, true)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	}
	return root.GenPowerShellCompletionWithDesc(w)
}
