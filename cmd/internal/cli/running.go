package cli

import (
	"errors"

	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/control"
	"landfall/cmd/internal/server"
)

// dirVariable names the state directory where --dir does not.
const dirVariable = "LANDFALL_DIR"

// runningFlag declares --dir for commands that ask a running node.
func runningFlag(f *Flags, dir *string) {
	f.Name(dir, "dir", "state directory `DIR` of what runs; $"+dirVariable+" if not given, else "+server.DefaultDir)
}

// running is a client of what runs in a state directory.
func running(env *Env, dir string) *control.Client {
	return control.NewClient(stateDir(env, dir))
}

// asked marks an error of asking what runs: nothing runs there, or it said no.
func asked(err error) error {
	if errors.Is(err, admin.ErrNotRunning) || errors.Is(err, admin.ErrNotOwner) || errors.Is(err, admin.ErrSilent) {
		return Unreachable(err)
	}
	return err
}
