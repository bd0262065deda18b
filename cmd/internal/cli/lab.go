package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/lab"
)

// labRouterWord is what a lab calls the program by to have its packets
// carried. It is no command: it wants descriptors that a shell does not open.
const labRouterWord = "__lab-router"

// labFlags say which lab is meant.
type labFlags struct{ file, dir string }

func (l *labFlags) declare(f *Flags) {
	f.Name(&l.file, "file", "the lab's `FILE`; lab.toml if not given")
	f.Name(&l.dir, "dir", "the lab's `DIR`, for the hosts' files and logs; if not given, FILE with .lab in place of .toml")
}

func (l labFlags) name() string {
	if l.file == "" {
		return "lab.toml"
	}
	return l.file
}

func (l labFlags) directory(env *Env) (string, error) {
	switch {
	case l.dir != "":
		return env.Path(l.dir), nil
	case l.file == "-":
		return "", Usagef("a lab from the standard input wants --dir")
	}
	return env.Path(strings.TrimSuffix(l.name(), ".toml") + ".lab"), nil
}

func labCommand() Command {
	var f labFlags
	var check, keep bool
	return Command{
		Path:  "lab",
		Short: "Run machines with an ocean between them on this one, and measure",
		Long: `Builds what FILE describes out of network namespaces: hosts at places, the links
between them with their delay, rate, queue, losses, MTU and NAT, and the programs
that run there. Then runs the file's phases, in which links are cut, hosts are
crashed and commands run, and prints for each how late packets were handed on,
what links dropped, and what became of the commands. A phase in which packets
were late is repeated.

Ctrl-C ends all of it; of a lab that was killed nothing stays but its directory.
It takes root and the Debian package iproute2, and nftables for firewalls,
one-to-one NAT and hosts that are unplugged. docs/lab.md explains the file.`,
		Flags: func(fs *Flags) {
			f.declare(fs)
			fs.Bool(&check, "check", "tell what is wrong with the file, and start nothing")
			fs.Bool(&keep, "keep", "run on after the phases, for lab shell, lab exec, lab cut and the like, until interrupted")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			l, err := readLab(env, f.name())
			if err != nil {
				return err
			}
			if check {
				_, err := fmt.Fprintf(env.Stdout, "%s: ok: %s, %s, %s, %s, %s\n", title(f.name()), count(len(l.Places), "place"),
					count(len(l.Links), "link"), count(len(l.Hosts), "host"), count(len(l.Programs), "program"), count(len(l.Phases), "phase"))
				return err
			}
			dir, err := f.directory(env)
			if err != nil {
				return err
			}
			return lab.Run(ctx, lab.Config{Lab: l, Name: title(f.name()), Dir: dir, Router: labRouter, Keep: keep, Out: env.Stdout})
		},
	}
}

// labRouter is this program under the other word.
func labRouter() *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: []string{os.Args[0], labRouterWord}}
}

func readLab(env *Env, name string) (config.Lab, error) {
	src, err := readFile(env, name)
	if err != nil {
		return config.Lab{}, fmt.Errorf("lab's file: %w", err)
	}
	l, problems := config.ParseLab(title(name), src)
	if len(problems) > 0 {
		return l, &config.Error{Problems: problems}
	}
	return l, nil
}

func labShellCommand() Command {
	var f labFlags
	return Command{
		Path:  "lab shell",
		Args:  "HOST",
		Short: "Open a shell on a host of a lab that runs",
		Long: `The shell is in the host's network and sees its files; all else is this
machine's. The lab is the one that runs with the same --file, or --dir.`,
		Flags: f.declare,
		Run:   func(_ context.Context, env *Env, args []string) error { return f.enter(env, args[0], nil) },
	}
}

func labExecCommand() Command {
	var f labFlags
	return Command{
		Path:  "lab exec",
		Args:  "HOST COMMAND [ARGUMENT...]",
		Short: "Run a command on a host of a lab that runs",
		Long: `Like lab shell, for one command, whose exit status becomes this one's. Flags
after HOST are the command's own, and a "--" there is left out.`,
		Flags: func(fs *Flags) {
			f.declare(fs)
			fs.Rest()
		},
		Run: func(_ context.Context, env *Env, args []string) error {
			command := args[1:]
			if command[0] == "--" {
				if command = command[1:]; len(command) == 0 {
					return Usagef("which command? -- is none")
				}
			}
			return f.enter(env, args[0], command)
		},
	}
}

func (l labFlags) enter(env *Env, host string, args []string) error {
	dir, err := l.directory(env)
	if err != nil {
		return err
	}
	return lab.Enter(dir, host, args)
}
