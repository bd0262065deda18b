package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
)

func versionCommand() Command {
	return Command{
		Path:  "version",
		Short: "Say which Landfall this is",
		Long:  "Prints the version, the commit it was built from and the Go toolchain that built it.",
		Run: func(_ context.Context, env *Env, _ []string) error {
			return printVersion(env)
		},
	}
}

func printVersion(env *Env) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this program was built without its build information")
	}
	_, err := io.WriteString(env.Stdout, versionText(info))
	return err
}

// version is the module's version, as nodes tell it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(info.Main.Version, "(devel)")
	}
	return "unknown"
}

func versionText(info *debug.BuildInfo) string {
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	commit := cmp.Or(set["vcs.revision"], "unknown")
	if t := set["vcs.time"]; t != "" {
		commit += " of " + t
	}
	if set["vcs.modified"] == "true" {
		commit += ", changed since"
	}
	return fmt.Sprintf("landfall %s\ncommit %s\n%s %s/%s\n",
		cmp.Or(info.Main.Version, "(devel)"), commit, info.GoVersion, set["GOOS"], set["GOARCH"])
}
