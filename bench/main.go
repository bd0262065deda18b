package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"landfall/bench/load"
	"landfall/cmd/lab"
)

// options are the flags.
type options struct {
	binary  string        // a built landfall; empty builds one
	root    string        // the tree
	rounds  int           // how often everything is measured
	idle    time.Duration // silence before memory is read
	results string        // where tables are kept; empty keeps none
	worlds  int           // how many address spaces name servers are measured in
	soak    bool          // whether simulations run at full size
	deaths  int           // in how many random worlds an edge dies
	clients int           // how many clients ask a resolver in each
	turn    time.Duration // how long one name server answers at a time
	cases   string        // which of them; empty: all
	profile string        // where Landfall's profile goes; empty: there is none
	cuts    int           // how often a path dies

	topologies int           // in how many ways are found
	day        time.Duration // how long a simulated one is
	jitter     int           // for how many seconds it varies what ways cost
	quiet      time.Duration // how long what idle peers say is counted
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case swapper:
			return serveSwapping(ctx, args[1:])
		case alone:
			return serveAlone(ctx, args[1:])
		case loader:
			return load.Serve(ctx, os.Stdin, out)
		case meshEnd:
			return serveEnd(ctx, args[1:], os.Stdin, out)
		case meshRouter:
			return lab.ServeRouter()
		case meshApp:
			return serveApp(ctx, args[1:])
		case meshUsers:
			return serveUsers(ctx, args[1:])
		}
	}
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.binary, "landfall", "", "measure this `binary` instead of building one")
	fs.StringVar(&o.root, "root", "..", "the `directory` of the tree to build")
	fs.IntVar(&o.rounds, "rounds", 3, "measure everything `n` times, interleaved")
	fs.DurationVar(&o.idle, "idle", 10*time.Second, "how long it must be silent before its memory is read")
	fs.IntVar(&o.worlds, "worlds", 3, "measure name servers in `n` address spaces")
	fs.BoolVar(&o.soak, "soak", false, "let simulations run at full size, for hours")
	fs.IntVar(&o.deaths, "deaths", 10_000, "kill an edge in `n` random worlds")
	fs.IntVar(&o.clients, "clients", 1_000_000, "let `n` clients of each ask a resolver")
	fs.DurationVar(&o.turn, "turn", 4*time.Second, "let a name server answer as fast as it can for so `long` at a time")
	fs.StringVar(&o.cases, "cases", "", "measure these `cases` alone, such as \"geo;geo, signed\"")
	fs.IntVar(&o.topologies, "topologies", 200, "let a mesh find its ways in `n` random topologies")
	fs.IntVar(&o.jitter, "jitter", 600, "let ways vary for so many `seconds`, of virtual time")
	fs.DurationVar(&o.day, "day", 24*time.Hour, "simulate so `long` a day of the mesh")
	fs.IntVar(&o.cuts, "cuts", 100, "cut a path of the mesh `n` times")
	fs.DurationVar(&o.quiet, "quiet", 5*time.Minute, "count for so `long` what idle peers of the mesh say")
	fs.StringVar(&o.profile, "profile", "", "write to this `file` where Landfall's processor time goes while it answers as fast as it can")
	fs.StringVar(&o.results, "results", "results", "keep the table in this `directory`; empty: keep none")
	if err := fs.Parse(args); err != nil {
		return err
	}
	measures := map[string]measure{
		"skeleton": skeleton, "ops": ops,
		"dns-lookup": dnsLookup, "dns-plan": dnsPlan, "dns-swap": dnsSwap, "dns-scopes": dnsScopes, "dns-caching": dnsCaching,
		"dns-budget": dnsBudget, "dns-kill": dnsKill, "dns-simulations": dnsSimulations,
		"dns-speed": dnsSpeed, "dns-latency": dnsLatency, "dns-replace": dnsReplace,
		"mesh-tun": meshTUN, "mesh-idle": meshIdle, "mesh-mib": meshMiB, "mesh-restart": meshRestart, "mesh-death": meshDeath,
		"mesh-routes": meshRoutes, "mesh-day": meshDay,
	}
	for _, name := range fs.Args() {
		if measures[name] == nil {
			return fmt.Errorf("there is no measurement %q; there are %s", name, names(measures))
		}
	}
	if fs.NArg() == 0 || o.rounds < 1 || o.worlds < 1 || o.clients < 10 || o.deaths < 1 {
		return fmt.Errorf("want measurements, at least one world and one round; see -h; there are %s", names(measures))
	}
	for _, name := range fs.Args() {
		var table bytes.Buffer
		if err := measures[name](ctx, o, &table, progress); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := out.Write(append(table.Bytes(), '\n')); err != nil {
			return err
		}
		if err := keep(o.results, name, table.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// names lists measurements.
func names(m map[string]measure) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// measure writes a table, and what it is doing to progress.
type measure func(ctx context.Context, o options, table, progress io.Writer) error

// build makes a binary as releases are made, in dir.
func build(ctx context.Context, root, dir string) (string, error) {
	bin, err := filepath.Abs(filepath.Join(dir, "program"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", bin, "./cmd/landfall")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build landfall: %w\n%s", err, out)
	}
	return bin, nil
}

// keep writes the table where results are kept.
func keep(dir, name string, table []byte) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, name+"-"+time.Now().UTC().Format("20060102-150405")+".txt")
	return os.WriteFile(file, table, 0o644)
}
