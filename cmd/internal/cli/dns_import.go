package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"landfall"
	"landfall/cmd/internal/gdnsd"
)

func dnsImportCommand() Command {
	var zone, output string
	var places []string
	return Command{
		Path:  "dns import-gdnsd",
		Args:  "CONFIG",
		Short: "Make a network file of a gdnsd configuration",
		Long: `Reads CONFIG, such as /etc/gdnsd/config, all that it includes, and the zones of
the folder zones beside it, and writes a network file for "landfall dns serve".
What became what, and everything that has no counterpart, each with its place,
goes to the standard error. docs/migrate-gdnsd.md explains both.`,
		Flags: func(f *Flags) {
			f.String(&zone, "zone", "", "the `ZONE` that becomes the domain, where there are several")
			f.Strings(&places, "place", "where a datacenter is, `DC=LAT,LON`; once for each that has no coordinates")
			f.Name(&output, "output", "`FILE` to write, which must not exist yet; without it, the standard output")
		},
		Run: func(_ context.Context, env *Env, args []string) error {
			at, err := datacenterPlaces(places)
			if err != nil {
				return err
			}
			return importGdnsd(env, args[0], output, gdnsd.Options{Zone: zone, Places: at})
		},
	}
}

// datacenterPlaces reads what --place says.
func datacenterPlaces(given []string) (map[string]landfall.Place, error) {
	out := map[string]landfall.Place{}
	for _, g := range given {
		name, where, ok := strings.Cut(g, "=")
		if !ok || name == "" {
			return nil, Usagef("--place %s: want DC=LAT,LON such as fra=50.11,8.68", g)
		}
		p, err := landfall.ParsePlace(where)
		if err != nil {
			return nil, Usagef("--place %s: %v", g, err)
		}
		out[name] = p
	}
	return out, nil
}

func importGdnsd(env *Env, name, output string, o gdnsd.Options) error {
	full, err := filepath.Abs(env.Path(name))
	if err != nil {
		return err
	}
	r, err := gdnsd.Import(os.DirFS("/"), full, o)
	if err != nil {
		return err
	}
	if err := writeImported(env, output, r.Text); err != nil {
		return err
	}
	p := &printer{out: env.Stderr}
	report(p, env, output, r)
	return p.err
}

// writeImported writes the file. One that exists may hold what somebody wrote.
func writeImported(env *Env, output, text string) error {
	if output == "" {
		_, err := io.WriteString(env.Stdout, text)
		return err
	}
	f, err := os.OpenFile(env.Path(output), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// report says what became what, how it is run, and what has no counterpart.
func report(p *printer, env *Env, output string, r *gdnsd.Result) {
	for _, line := range r.Taken {
		p.line("%s", line)
	}
	command := env.program() + " dns serve --geo " + cmp.Or(r.Database, "FILE")
	if output != "" {
		command += " --network " + output
	}
	if len(r.Listen) > 0 {
		command += " --listen " + r.Listen[0]
	}
	probe := "none"
	if r.Probed {
		probe = string(r.Map.Health.Probe)
	}
	command += " --probe " + probe
	p.line("serve it with: %s", command)
	if len(r.Listen) > 1 {
		p.line("gdnsd answers on %s too: run one for each", strings.Join(r.Listen[1:], ", "))
	}
	if len(r.Notes) == 0 {
		return
	}
	p.line("%s:", thingsWithout(len(r.Notes)))
	for _, n := range r.Notes {
		p.line("%v", n)
		if n.Cure != "" {
			p.line("   cure: %s", n.Cure)
		}
	}
}

func thingsWithout(n int) string {
	if n == 1 {
		return "1 thing has no counterpart, or another one"
	}
	return fmt.Sprintf("%d things have no counterpart, or another one", n)
}
