package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"landfall"
	"landfall/cmd/lab"
)

// Config is a fleet before it is opened.
type Config struct {
	Dir    string // for all files; not removed
	Bin    string // a folder with the landfall to use
	Pebble string // the authority's program
	Log    *slog.Logger
	// Carrier is that of the lab; nil means that this process carries packets.
	Carrier func(dev *os.File) (lab.Carrier, error)
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
		Dir: c.Dir, Path: c.Bin, Places: places(), Links: links(), Hosts: hosts(), Seed: 1, Log: c.Log, Carrier: c.Carrier,
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
		// Answers stay in the order that they came in, the nearest edge first.
		if _, err := f.Host(s.Name).StartResolver(ctx, f.Registry.Addr(), "rrset-roundrobin: no"); err != nil {
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

// Founding is what an operator types at home to found the network.
const Founding = "landfall init shop --domain edge.example.com --region fra --place 50.11,8.68 --service app=http://127.0.0.1:3000 --acme-agree"

// Found founds the network on the home server, starts it, and has the parent
// zone delegate to it, in the lines that were printed.
func (f *Fleet) Found(ctx context.Context) error {
	// Beside what is the same everywhere: this world's authority and geography.
	words := append(strings.Fields(Founding)[1:], "--acme-directory", f.Authority.Directory, "--geo", f.database())
	out, err := f.Type(ctx, Home, words...)
	if err != nil {
		return err
	}
	if _, err := f.Start(ctx, Home); err != nil {
		return err
	}
	lines := delegation.FindAllString(out, -1)
	if len(lines) == 0 {
		return fmt.Errorf("landfall init prints no lines for the parent zone: %s", out)
	}
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line) // where a zone file would take the name before for meant
	}
	return f.Registry.Set(ctx, "example.com", strings.Join(lines, "\n"))
}

// delegation is a line for the parent zone.
var delegation = regexp.MustCompile(`(?m)^[ \t]*\S*` + regexp.QuoteMeta(Domain) + `\.[ \t]+(?:NS|A|AAAA)[ \t]+\S+$`)

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

// joined are the servers that run or have run.
func (f *Fleet) joined() []landfall.NodeID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.running))
}

// Running is the process that a server runs, or ran last.
func (f *Fleet) Running(node landfall.NodeID) *lab.Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[node]
}

// Inviting is what an operator types at home to invite a server.
func (s Server) Inviting() string {
	return fmt.Sprintf("landfall invite %s --region %s --place %v --roles edge,dns", s.Node, s.Region, s.Place)
}

// Invite invites a server at home, and returns the token of the command that
// was printed.
func (f *Fleet) Invite(ctx context.Context, s Server) (token string, err error) {
	out, err := f.Type(ctx, Home, strings.Fields(s.Inviting())[1:]...)
	if err != nil {
		return "", err
	}
	found := joining.FindStringSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("landfall invite prints no command to type: %s", out)
	}
	return found[1], nil
}

// Join invites a server at home, has it join, and runs it. The token that it
// returns is used up.
func (f *Fleet) Join(ctx context.Context, s Server) (token string, err error) {
	if token, err = f.Invite(ctx, s); err != nil {
		return "", err
	}
	if _, err := f.Type(ctx, s.Node, "join", "--geo", f.database(), token); err != nil {
		return "", err
	}
	_, err = f.Start(ctx, s.Node)
	return token, err
}

// joining is the command that an invitation prints.
var joining = regexp.MustCompile(`landfall join (landfall-join1:\S+)`)

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
	var b strings.Builder
	for n := range m.Having(landfall.RoleDNS) {
		name := fmt.Sprintf("%s.ns.%s.", n.ID, Domain)
		fmt.Fprintf(&b, "%s. NS %s\n", Domain, name)
		for _, a := range n.Advertised {
			fmt.Fprintf(&b, "%s %s\n", name, lab.Record(a))
		}
	}
	return f.Registry.Set(ctx, "example.com", b.String())
}

// Describe adds text to the network's description at home.
func (f *Fleet) Describe(more string) error {
	file := f.On(Home).File("network.toml")
	now, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strings.TrimRight(string(now), "\n")+"\n\n"+more), 0o644)
}

// Apply adds text to the network's description at home, and puts it in force.
func (f *Fleet) Apply(ctx context.Context, more string) (string, error) {
	if err := f.Describe(more); err != nil {
		return "", err
	}
	return f.Type(ctx, Home, "map", "apply")
}
