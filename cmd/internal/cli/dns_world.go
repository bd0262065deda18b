package cli

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"landfall"
	"landfall/cmd/internal/node"
	"landfall/geodns/locate"
	"landfall/geodns/measure"
	"landfall/geodns/plan"
	"landfall/geodns/traffic"
)

// worldFlags describe a name server that does not run: by files.
type worldFlags struct {
	network, geo, asn, queries, demand string
	down                               []string
}

func (f *worldFlags) declare(fs *Flags) {
	fs.Name(&f.network, "network", "by files, not by what runs: `FILE` that describes the network with its nodes")
	fs.Name(&f.geo, "geo", "with --network: `FILE` with a geographic database in MaxMind's format")
	fs.Name(&f.asn, "asn", "with --network: `FILE` with a database of networks")
	fs.Name(&f.queries, "queries", "with --network: `FILE` of logged queries, ADDRESS or PREFIX COUNT a line, to weigh clients by")
	fs.String(&f.demand, "demand", "", "with --network: `N` requests a second that all clients make, for ceilings")
	fs.Strings(&f.down, "down", "with --network: `NODE` that is down; may be repeated")
}

// given reports whether files are to be asked, and refuses flags that mean
// nothing otherwise.
func (f *worldFlags) given() (bool, error) {
	if f.network != "" {
		if f.geo == "" {
			return true, Usagef("--geo is needed with --network: a geographic database in MaxMind's format (.mmdb)")
		}
		return true, nil
	}
	if f.geo+f.asn+f.queries+f.demand != "" || len(f.down) > 0 {
		return false, Usagef("--geo, --asn, --queries, --demand and --down go with --network: what runs knows its own")
	}
	return false, nil
}

// input is what a plan is made of.
func (f *worldFlags) input(env *Env) (plan.Input, error) {
	var in plan.Input
	var err error
	if in.Map, err = readMap(env, f.network); err != nil {
		return in, err
	}
	if in.Atlas, err = f.atlas(env, in.Map); err != nil {
		return in, err
	}
	if in.Weights, err = readQueries(env, f.queries); err != nil {
		return in, err
	}
	if in.Demand, err = parseDemand(f.demand); err != nil {
		return in, err
	}
	in.Epoch = measure.EpochAt(time.Now())
	in.Down = map[landfall.NodeID]bool{}
	for _, id := range f.down {
		n, ok := in.Map.Node(landfall.NodeID(id))
		if !ok || !n.Has(landfall.RoleEdge) {
			return in, Usagef("--down %s: %s has no such edge", id, title(f.network))
		}
		in.Down[n.ID] = true
	}
	return in, nil
}

func (f *worldFlags) atlas(env *Env, m *landfall.Map) (*locate.Table, error) {
	s := sources(env, f.geo, f.asn)
	over := node.Heeded(s, m)
	if len(over) < len(m.Overrides) {
		fmt.Fprintln(env.Stderr, "overrides by ASN have no effect: no database of networks is named (--asn)")
	}
	return locate.Open(s, over)
}

// sources are the files of geographic databases; one that is not named is none.
func sources(env *Env, geo, asn string) locate.Sources {
	s := locate.Sources{Places: env.Path(geo)}
	if asn != "" {
		s.Networks = env.Path(asn)
	}
	return s
}

// readQueries reads a log of queries; without one clients are weighed by their
// addresses.
func readQueries(env *Env, name string) (*traffic.View, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(env.Path(name))
	if err != nil {
		return nil, fmt.Errorf("queries: %w", err)
	}
	defer file.Close()
	v, err := traffic.Read(file)
	if err != nil {
		return nil, fmt.Errorf("queries: %s: %w", name, err)
	}
	return v, nil
}

func parseDemand(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	d, err := strconv.ParseFloat(text, 64)
	if err != nil || !(d >= 0 && d <= 1e12) {
		return 0, Usagef("--demand %s: want a number of requests a second, such as 5000", text)
	}
	return d, nil
}
