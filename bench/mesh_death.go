package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"landfall"
	"landfall/cmd/lab"
	"landfall/cmd/lab/fleet"
)

// The path that dies, the way round it, and how: the edge is in Singapore,
// home in Frankfurt, and New York in between.
const (
	deathEdge   = landfall.NodeID("sin1")
	deathUser   = "user-sin"
	deathRTT    = 150 * time.Millisecond
	deathAround = 80 * time.Millisecond
	deathAcross = 90 * time.Millisecond
	deathFor    = 3 * time.Second
	deathSpread = 3 * time.Second // a path dies at a random moment of so long
	deathSpare  = 10              // cuts that the emulator may spoil, beside as many as count
	deathBack   = 3 * time.Minute // until the path is in use again
	deathWarm   = 15 * time.Second
)

// meshDeath measures what users of an edge feel when its path home dies.
func meshDeath(ctx context.Context, o options, table, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "landfall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := o.fleet(ctx, dir, progress)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.Dir, c.Carrier = filepath.Join(dir, "lab"), lab.Apart(1, exec.Command(self, meshRouter))
	f, err := fleet.Open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d := &death{Fleet: f, self: self, log: filepath.Join(dir, "users"), progress: progress}
	if err := d.run(ctx, o.cuts); err != nil {
		return err
	}
	saw, err := d.read()
	if err != nil {
		return err
	}
	return saw.write(table, o)
}

// death is a fleet and the moments at which its path died.
type death struct {
	*fleet.Fleet
	self     string // this program
	log      string
	progress io.Writer
	began    time.Time
	cuts     []time.Time   // that count
	prepared bool          // whether both ends knew a way round before the next cut
	bare     int           // cuts when they did not
	spoilt   int           // by the emulator
	late     time.Duration // its worst p99 of those that count
}

func (d *death) run(ctx context.Context, cuts int) error {
	fmt.Fprintln(d.progress, "servers")
	users, err := d.settle(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, deathWarm); err != nil {
		return err
	}
	d.began = time.Now()
	for len(d.cuts) < cuts {
		if err := d.straight(ctx); err != nil {
			return err
		}
		if err := pause(ctx, rand.N(deathSpread)); err != nil {
			return err
		}
		fmt.Fprintf(d.progress, "cut %d of %d\n", len(d.cuts)+1, cuts)
		if err := d.cut(ctx); err != nil {
			return err
		}
		if d.spoilt > cuts+deathSpare {
			return fmt.Errorf("%d times the emulator was late: the machine is too busy", d.spoilt)
		}
	}
	if err := pause(ctx, usersPatience); err != nil {
		return err
	}
	return users.Stop()
}

// cut has the path die, and counts that if the emulator was in time.
func (d *death) cut(ctx context.Context) error {
	if err := d.Carrier().Begin("death"); err != nil {
		return err
	}
	if err := pause(ctx, deathWindow+2*deathRTT); err != nil {
		return err
	}
	path := lab.RTT("fra", "sin", deathRTT)
	dead := path
	dead.Down = true
	at := time.Now()
	if err := d.Connect(dead.A, dead.B, dead.Link); err != nil {
		return err
	}
	err := pause(ctx, deathFor)
	if err := errors.Join(err, d.Connect(path.A, path.B, path.Link)); err != nil {
		return err
	}
	phase, err := d.Carrier().End()
	if err != nil {
		return err
	}
	if late := phase.Late(); late != nil {
		fmt.Fprintln(d.progress, "once more:", late)
		d.spoilt++
		return nil
	}
	d.cuts, d.late = append(d.cuts, at), max(d.late, phase.LateP99)
	if !d.prepared {
		fmt.Fprintln(d.progress, "not both ends knew a way round")
		d.bare++
	}
	return nil
}

// settle makes the links what they are to be, founds the network, and lets
// users in.
func (d *death) settle(ctx context.Context) (*lab.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, l := range []lab.Link{lab.RTT("fra", "sin", deathRTT), lab.RTT("fra", "nyc", deathAround), lab.RTT("nyc", "sin", deathAcross)} {
		if err := d.Connect(l.A, l.B, l.Link); err != nil {
			return nil, err
		}
	}
	if _, err := d.On(fleet.Home).Start(lab.Program{Name: meshApp, Args: []string{d.self, meshApp, "127.0.0.1:3000"}}); err != nil {
		return nil, err
	}
	if err := d.Found(ctx); err != nil {
		return nil, err
	}
	for _, s := range fleet.Joiners() {
		if _, err := d.Join(ctx, s); err != nil {
			return nil, err
		}
		if _, err := d.Named(ctx, s.Node, deathUser); err != nil {
			return nil, err
		}
	}
	if _, _, err := d.Served(ctx, deathUser, opsPage); err != nil {
		return nil, err
	}
	edge := netip.AddrPortFrom(d.On(deathEdge).Addresses[0], 443)
	return d.Host(deathUser).Start(lab.Program{Name: meshUsers, Args: []string{d.self, meshUsers, edge.String(), fleet.App, d.log}})
}

// straight waits until both ends use the path that is to die, and notes
// whether they know a way round it.
func (d *death) straight(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deathBack)
	defer cancel()
	for {
		out, err := d.way(ctx, deathEdge, fleet.Home)
		if err != nil {
			return err
		}
		back, err := d.way(ctx, fleet.Home, deathEdge)
		if err != nil {
			return err
		}
		if out.straight() && back.straight() {
			d.prepared = out.Backup != "" && back.Backup != ""
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("the path is not in use again after %v: %w", deathBack, err)
		}
	}
}

// nodeWay is what a node says about its way to another.
type nodeWay struct {
	Peer               landfall.NodeID
	Via, Doubt, Backup string
	Alive              bool
}

func (w nodeWay) straight() bool { return w.Alive && w.Via == "" && w.Doubt == "" }

func (d *death) way(ctx context.Context, from, to landfall.NodeID) (nodeWay, error) {
	out, err := d.Type(ctx, from, "status", "--json")
	if err != nil {
		return nodeWay{}, err
	}
	var all struct {
		Nodes []struct {
			Node  landfall.NodeID
			Paths []nodeWay
		}
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nodeWay{}, fmt.Errorf("landfall status --json on %s: %w", from, err)
	}
	for _, n := range all.Nodes {
		for _, p := range n.Paths {
			if n.Node == from && p.Peer == to {
				return p, nil
			}
		}
	}
	return nodeWay{}, nil
}

// felt is what users felt.
type felt struct {
	began, ended time.Time
	cuts, spoilt int
	bare         int // cuts when not both ends knew a way round
	late         time.Duration
	requests     feltKind
	messages     feltKind
	dropped      int
	opens        int // beyond the first of each
}

// feltKind is how long one kind of thing took, in ms.
type feltKind struct {
	all, failed  int
	before, when []time.Duration
	why          map[string]int
}

func (f *felt) write(w io.Writer, o options) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "The path between an edge and home is blackholed for %v at %d random moments, %v under %d requests/s and %d WebSockets that speak once in %v\n%s\n"+
		"Round trips: edge - home %v, round by a third node %v and %v, users - edge 10 ms. A window is what was sent from a round trip before a cut to 2 s after it;\n"+
		"before is what was sent in as long a time just before. Emulator: worst p99 %v; %d cuts in whose time it was too late are in no window.\n\n",
		deathFor, f.cuts, f.ended.Sub(f.began).Round(time.Second), time.Second/usersEvery, usersSockets, usersSpeak, machine(o.root),
		deathRTT, deathAround, deathAcross, f.late, f.spoilt)
	heading(&b, "", "all", "failed", "before: p50, ms", "p99", "max", "in windows: p50, ms", "p99", "max", "p99 added, ms")
	for _, k := range []struct {
		name string
		*feltKind
	}{{"requests", &f.requests}, {"WebSocket messages", &f.messages}} {
		row := []string{k.name, fmt.Sprint(k.all), fmt.Sprint(k.failed)}
		for _, took := range [][]time.Duration{k.before, k.when} {
			for _, share := range []float64{0.5, 0.99, 1} {
				row = append(row, fmt.Sprintf("%.0f", milliAt(took, share)))
			}
		}
		cells(&b, append(row, fmt.Sprintf("%.0f", milliAt(k.when, 0.99)-milliAt(k.before, 0.99)))...)
	}
	for _, k := range []*feltKind{&f.requests, &f.messages} {
		for why, n := range k.why {
			fmt.Fprintf(&b, "\n%d × %s", n, why)
		}
	}
	fmt.Fprintln(&b)
	heading(&b, "aim", "measured", "wanted")
	cells(&b, "failed requests", fmt.Sprint(f.requests.failed), "0")
	cells(&b, "cuts for which not both ends had a way round ready", fmt.Sprint(f.bare), "0")
	cells(&b, "dropped WebSockets", fmt.Sprint(f.dropped), "0")
	cells(&b, "p99 added to messages, ms", fmt.Sprintf("%.0f", milliAt(f.messages.when, 0.99)-milliAt(f.messages.before, 0.99)), "at most 300; 50 is where it must get to")
	_, err := w.Write(b.Bytes())
	return err
}

// milliAt is how long the given share of a sorted list took at most, in ms.
func milliAt(took []time.Duration, share float64) float64 {
	if len(took) == 0 {
		return 0
	}
	return milli(took[min(int(share*float64(len(took))), len(took)-1)])
}
