package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/labrouter"
)

// Env is what a command sees of the world around it.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Dir    string                   // where relative file names start; empty is the working directory
	Getenv func(name string) string // never nil

	Program string // what a user types to run this program; empty is "landfall"
}

// OS is the environment of the process.
func OS() Env {
	return Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Program: program()}
}

// program is what a user types to run this very program.
func program() string {
	path, err := os.Executable()
	if err != nil || strings.Contains(path, "/go-build") {
		return "go run ./cmd/landfall"
	}
	if found, err := exec.LookPath("landfall"); err == nil && found == path {
		return "landfall"
	}
	return path
}

// Path is the file that the user calls name.
func (e *Env) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(e.Dir, name)
}

// The exit statuses, as `landfall help` lists them.
const (
	ExitOK          = 0 // done
	ExitFailed      = 1 // tried and failed
	ExitUsage       = 2 // nothing was tried: a wrong command line or a bad file
	ExitUnreachable = 3 // a node or server that was asked did not answer
)

// Main runs one command line and returns the exit status. It returns when
// the command has, which a command does soon after ctx ends.
func Main(ctx context.Context, env Env, args []string) int {
	err := dispatch(ctx, &env, args)
	if err == nil {
		return ExitOK
	}
	if bad, ok := errors.AsType[*config.Error](err); ok {
		fmt.Fprint(env.Stderr, bad.Explain())
	}
	for line := range strings.Lines(err.Error()) { // joined errors have a line each
		fmt.Fprintf(env.Stderr, "landfall: %s\n", strings.TrimSuffix(line, "\n"))
	}
	return status(err)
}

// dispatch runs a command of the table, or what a lab calls the program for.
func dispatch(ctx context.Context, env *Env, args []string) error {
	if slices.Equal(args, []string{labRouterWord}) {
		return labrouter.Serve()
	}
	return execute(ctx, env, Commands(), args)
}

func status(err error) int {
	if _, ok := errors.AsType[*config.Error](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[*unreachableError](err); ok {
		return ExitUnreachable
	}
	return ExitFailed
}
