package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"landfall"
	"landfall/cmd/internal/geofetch"
	"landfall/geodns/locate"
)

// licenceKeyVariable may hold MaxMind's licence key.
const licenceKeyVariable = "LANDFALL_LICENCE_KEY"

type dnsFetchFlags struct {
	provider, to, editions string
	account, keyFile, base string
	maxMove                string
	force                  bool
}

func dnsFetchCommand() Command {
	var f dnsFetchFlags
	return Command{
		Path:  "dns fetch",
		Short: "Fetch geographic databases, and see what they would change",
		Long: `Asks DB-IP (free, monthly, no account) or MaxMind (an account's id and a licence
key) for databases that are newer than those in DIR, and replaces them. A file
that is damaged, is another one than was asked for, shrinks by half or moves
more of the world than --max-move stays out, and the old one stays; --force
takes what moves or shrinks if you know why. A server that uses the files loads
them within seconds.

The licence key is read from --licence-key-file, or from ` + licenceKeyVariable + `.
DB-IP's databases are under CC BY 4.0: a page of yours has to say "IP Geolocation
by DB-IP" with a link to https://db-ip.com. MaxMind's licence has old databases
deleted: Landfall keeps none, and so should your backups.`,
		Flags: func(fs *Flags) {
			fs.String(&f.provider, "provider", geofetch.DBIP, "`NAME` of the provider: dbip or maxmind")
			fs.Name(&f.to, "to", "`DIR` where the files are")
			fs.String(&f.editions, "editions", "city,asn", "`NAMES` of databases: city or country, and asn; MaxMind's own, such as GeoIP2-City, too")
			fs.String(&f.account, "account", "", "with maxmind: the account's `ID`")
			fs.Name(&f.keyFile, "licence-key-file", "with maxmind: `FILE` that holds the licence key")
			fs.String(&f.base, "base", "", "`URL` of a mirror instead of the provider's own host")
			fs.String(&f.maxMove, "max-move", geofetch.DefaultMaxMove.String(), "largest `SHARE` of the known addresses that may be elsewhere than before")
			fs.Bool(&f.force, "force", "take the databases however much moves")
		},
		Run: func(ctx context.Context, env *Env, _ []string) error {
			c, err := f.config(env)
			if err != nil {
				return err
			}
			fetcher, err := geofetch.New(c)
			if err != nil {
				return Usagef("%v", err)
			}
			r, err := fetcher.Once(ctx)
			if refused, ok := errors.AsType[*geofetch.RefusedError](err); ok && refused.Difference != nil {
				p := &printer{out: env.Stdout}
				printDifference(p, *refused.Difference)
				return errors.Join(err, p.err)
			}
			if err != nil {
				return err
			}
			return printFetched(env.Stdout, r)
		},
	}
}

func (f *dnsFetchFlags) config(env *Env) (geofetch.Config, error) {
	if f.to == "" {
		return geofetch.Config{}, Usagef("--to is needed: the directory where the files are")
	}
	move, err := landfall.ParseShare(f.maxMove)
	if err != nil {
		return geofetch.Config{}, Usagef("--max-move: %v", err)
	}
	if move == 0 {
		return geofetch.Config{}, Usagef("--max-move: no newer database leaves everything where it is")
	}
	c := geofetch.Config{
		Provider: f.provider, Editions: strings.Split(f.editions, ","), Dir: env.Path(f.to), Base: f.base,
		Account: f.account, Key: env.Getenv(licenceKeyVariable),
		MaxMove: move, Force: f.force, Progress: progressTo(env.Stderr),
	}
	if f.keyFile != "" {
		c.KeyFile = env.Path(f.keyFile)
	}
	return c, os.MkdirAll(c.Dir, 0o755)
}

// progressTo writes a line for each further tenth of an edition.
func progressTo(w io.Writer) func(edition string, got, all int64) {
	const unknown = 100 << 20 // of which tenths are shown where the size is not told
	shown := map[string]int64{}
	return func(edition string, got, all int64) {
		tenth := 10 * got / max(cmp.Or(max(all, 0), unknown), 1)
		if tenth <= shown[edition] {
			return
		}
		shown[edition] = tenth
		of := ""
		if all > 0 {
			of = " of " + megabytes(all)
		}
		fmt.Fprintf(w, "%s: %s%s\n", edition, megabytes(got), of)
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// printFetched tells what is new and what moved.
func printFetched(out io.Writer, r geofetch.Result) error {
	p := &printer{out: out}
	for _, f := range r.Files {
		state := "no newer one"
		if f.New {
			state = "new"
		}
		p.line("%s: %s of %s, %s, %s", f.Path, f.Type, f.Built.UTC().Format("2006-01-02"), megabytes(int64(f.Bytes)), state)
	}
	if r.Compared {
		printDifference(p, r.Difference)
	}
	return p.err
}

// printDifference tells how far two tables disagree about the world.
func printDifference(p *printer, d locate.Difference) {
	p.line("%.2f%% of the known IPv4 addresses are elsewhere, %.2f%% of the IPv6 prefixes", 100*float64(d.V4.Share()), 100*float64(d.V6.Share()))
	if len(d.Largest) == 0 {
		return
	}
	p.line("%14s %9s  the largest moves", "IPv4 addresses", "prefixes")
	for _, m := range d.Largest {
		p.line("%14.0f %9d  %s -> %s", m.Addresses, m.Prefixes, placeName(m.From), placeName(m.To))
	}
}

// placeName is a location for people.
func placeName(l landfall.Location) string {
	if !l.Known {
		return "unknown"
	}
	return strings.TrimSpace(cmp.Or(l.Country, l.Continent) + " " + cmp.Or(l.City, "("+l.Place.String()+")"))
}
