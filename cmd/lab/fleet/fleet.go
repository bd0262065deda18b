package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"landfall"
	"landfall/cmd/internal/server"
	"landfall/cmd/lab"
)

// Config is a fleet before it is opened.
type Config struct {
	Dir    string // for all files; not removed
	Bin    string // a folder with the landfall to use
	Pebble string // the authority's program
	Log    *slog.Logger
}

// Fleet is the servers and the world around them. Nothing of Landfall runs
// until Found.
type Fleet struct {
	*lab.Lab
	Registry  *lab.Registry
	Authority *lab.Authority

	mu      sync.Mutex
	running map[landfall.NodeID]*lab.Process
}

// Open makes the servers and starts the world: parent zone, authority, and a
// resolver on each host.
func Open(ctx context.Context, c Config) (*Fleet, error) {
	l, err := lab.Open(ctx, lab.Config{
		Dir: c.Dir, Path: c.Bin, Places: places(), Links: links(), Hosts: hosts(), Seed: 1, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	f := &Fleet{Lab: l, running: map[landfall.NodeID]*lab.Process{}}
	if err := f.world(ctx, c.Pebble); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// world starts all that is not Landfall's.
func (f *Fleet) world(ctx context.Context, pebble string) (err error) {
	zones := map[string]string{"example.com": "", "shop.example": fmt.Sprintf(
		"www CNAME %[1]s.%[2]s.\n_acme-challenge.www CNAME _acme-challenge.%[1]s.%[2]s.", Outside, Domain)}
	if f.Registry, err = f.Host("registry").StartRegistry(ctx, zones); err != nil {
		return err
	}
	if f.Authority, err = f.Host("authority").StartAuthority(ctx, pebble, f.Registry.Addr()); err != nil {
		return err
	}
	for _, s := range hosts() {
		if s.Name == "authority" {
			continue
		}
		if _, err := f.Host(s.Name).StartResolver(ctx, f.Registry.Addr()); err != nil {
			return err
		}
	}
	b, err := f.Database()
	if err != nil {
		return err
	}
	return os.WriteFile(f.database(), b, 0o644)
}

func (f *Fleet) database() string { return filepath.Join(f.Dir(), "places.mmdb") }

// On is the host that a node is.
func (f *Fleet) On(node landfall.NodeID) *lab.Host { return f.Host(string(node)) }

// Type runs a command of landfall on a server and returns what it printed.
func (f *Fleet) Type(ctx context.Context, node landfall.NodeID, args ...string) (string, error) {
	return f.On(node).Run(ctx, append([]string{"landfall"}, args...)...)
}

// Found founds the network on the home server, starts it, and has the parent
// zone delegate to it.
func (f *Fleet) Found(ctx context.Context) error {
	_, err := f.Type(ctx, Home, "init", Network, "--domain", Domain, "--region", "fra", "--place", places()["fra"].String(),
		"--geo", f.database(), "--acme-agree", "--acme-directory", f.Authority.Directory)
	if err != nil {
		return err
	}
	if _, err := f.Start(ctx, Home); err != nil {
		return err
	}
	return f.Delegate(ctx)
}

// Start runs a server that has joined, and returns when it answers its
// operator.
func (f *Fleet) Start(ctx context.Context, node landfall.NodeID) (*lab.Process, error) {
	p, err := f.On(node).Start(lab.Program{Args: []string{"landfall", "run"}})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.running[node] = p
	f.mu.Unlock()
	return p, p.Until(ctx, "control socket", func(ctx context.Context) error {
		_, err := f.Type(ctx, node, "status")
		return err
	})
}

// Running is the process that a server runs, or ran last.
func (f *Fleet) Running(node landfall.NodeID) *lab.Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[node]
}

var token = regexp.MustCompile(`landfall join (landfall-join1:\S+)`)

// Join invites a server at home, and has it join with the command that was
// printed, and run.
func (f *Fleet) Join(ctx context.Context, s Server) error {
	out, err := f.Type(ctx, Home, "invite", string(s.Node), "--region", string(s.Region), "--place", s.Place.String(), "--roles", "edge,dns")
	if err != nil {
		return err
	}
	found := token.FindStringSubmatch(out)
	if found == nil {
		return fmt.Errorf("landfall invite prints no command to type: %s", out)
	}
	if _, err := f.Type(ctx, s.Node, "join", "--geo", f.database(), found[1]); err != nil {
		return err
	}
	_, err = f.Start(ctx, s.Node)
	return err
}

// Map is the map in force at home.
func (f *Fleet) Map(ctx context.Context) (*landfall.Map, error) {
	out, err := f.Type(ctx, Home, "map", "show", "--json")
	if err != nil {
		return nil, err
	}
	var m landfall.Map
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return nil, fmt.Errorf("landfall map show --json: %w", err)
	}
	return &m, nil
}

// Delegate has the parent zone name the name servers that there are.
func (f *Fleet) Delegate(ctx context.Context) error {
	m, err := f.Map(ctx)
	if err != nil {
		return err
	}
	return f.Registry.Set(ctx, "example.com", server.DelegationLines(m))
}

// Apply adds text to the network's description at home, and puts it in force.
func (f *Fleet) Apply(ctx context.Context, more string) (string, error) {
	file := f.On(Home).File("network.toml")
	now, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, []byte(strings.TrimRight(string(now), "\n")+"\n\n"+more), 0o644); err != nil {
		return "", err
	}
	return f.Type(ctx, Home, "map", "apply")
}
