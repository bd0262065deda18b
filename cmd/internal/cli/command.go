package cli

import (
	"context"
	"slices"
	"strings"
)

// Command is one row of the table.
type Command struct {
	Path  string // the words that call it: "dns serve"
	Args  string // what follows: "NODE", "[FILE...]", or one word of "bash|zsh"; empty is nothing
	Short string // one line, beginning with a verb, without a full stop
	Long  string // what a user should know beyond Short; may be empty

	// Flags declares the command's flags; nil if it has none. The variables
	// they fill belong to the function that made the Command.
	Flags func(f *Flags)
	// Run does it. It returns once ctx has ended and all that it started.
	Run func(ctx context.Context, env *Env, args []string) error
}

// Commands is the table, in the order of the help.
func Commands() []Command {
	return slices.Concat([]Command{
		devCommand(),
		initCommand(),
		runCommand(),
		replaceCommand(),
		inviteCommand(),
		joinCommand(),
		statusCommand(),
		doctorCommand(),
		drainCommand(),
		setCommand(),
		removeCommand(),
		mapShowCommand(),
		mapDiffCommand(),
		mapApplyCommand(),
		certsListCommand(),
		certsRenewCommand(),
		checkCommand(),
		dnsServeCommand(),
		dnsReplaceCommand(),
		dnsExplainCommand(),
		dnsPreviewCommand(),
		dnsMapCommand(),
		dnsFetchCommand(),
		dnsImportCommand(),
		dnsKeysInitCommand(),
		dnsKeysStatusCommand(),
		dnsKeysRollCommand(),
		dnsKeysSawCommand(),
		dnsKeysSignCommand(),
		dnsKeysInstallCommand(),
		dnsKeysExportCommand(),
		dnsKeysRemoveCommand(),
		edgeServeCommand(),
		chatServeCommand(),
		labCommand(),
		labShellCommand(),
		labExecCommand(),
	}, labOrderCommands(), []Command{
		versionCommand(),
		completionCommand(),
		manCommand(),
		helpCommand(),
	})
}

// arity is how many arguments the command takes, at least and at most; most
// is -1 if there is no limit.
func (c Command) arity() (least, most int) {
	for arg := range strings.FieldsSeq(c.Args) {
		name := strings.TrimSuffix(strings.Trim(arg, "[]"), "...")
		if !strings.HasPrefix(arg, "[") {
			least++
		}
		if most++; strings.Contains(arg, name+"...") {
			return least, -1
		}
	}
	return least, most
}

// choices are the words of which the argument is one, if it is.
func (c Command) choices() []string {
	if !strings.Contains(c.Args, "|") {
		return nil
	}
	return strings.Split(c.Args, "|")
}

// takesFiles reports whether the arguments name files.
func (c Command) takesFiles() bool {
	return strings.Contains(c.Args, "FILE") || strings.Contains(c.Args, "DIR")
}

// argsError says what is wrong with the number of arguments, or with the
// choice among words.
func (c Command) argsError(args []string) error {
	least, most := c.arity()
	switch {
	case len(args) < least:
		return Usagef("want %s", c.Args)
	case most == 0 && len(args) > 0:
		return Usagef("unexpected argument %q", args[0])
	case most >= 0 && len(args) > most:
		return Usagef("unexpected argument %q after %s", args[most], c.Args)
	}
	for _, arg := range args {
		if words := c.choices(); words != nil && !slices.Contains(words, arg) {
			return Usagef("want %s, not %q", strings.Join(words, " or "), arg)
		}
	}
	return nil
}

// usage is how the command is called.
func (c Command) usage() string {
	words := []string{"landfall", c.Path}
	if c.Args != "" {
		words = append(words, c.Args)
	}
	if c.Flags != nil {
		words = append(words, "[FLAGS]")
	}
	return strings.Join(words, " ")
}

// lookup finds the command of a path.
func lookup(commands []Command, path string) (Command, bool) {
	for _, c := range commands {
		if c.Path == path {
			return c, true
		}
	}
	return Command{}, false
}

// below are the commands whose paths begin with the words of path.
func below(commands []Command, path string) []Command {
	var out []Command
	for _, c := range commands {
		if strings.HasPrefix(c.Path, path+" ") {
			out = append(out, c)
		}
	}
	return out
}
