package steer

import (
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestTranscripts runs the stories in testdata. Each is made of blocks, divided
// by empty lines: a command with its lines, "----", and what it prints.
//
//	map                     the map from here on, line by line:
//	  region ID PLACE [home]
//	  edge ID REGION [draining|gone]
//	  prefer REGION,... [prefix P|asn N|country C|continent C]
//	down [ID...]            the nodes that are down from here on
//	choose PLACE|unknown    what a client at that place is told, of whom may
//	  be known: country C, continent C, asn N, addr A, measured ID,...,
//	  spread P
//
// Lines that start with # are remarks.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { transcript(t, file) })
	}
}

func transcript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var w world
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		given, want, ok := strings.Cut(block+"\n", "----\n")
		if !ok && !*update {
			t.Fatalf("block without ----:\n%s", block)
		}
		got := w.run(t, given)
		if got != want && !*update {
			t.Errorf("%s:\n%sgot:\n%swant:\n%s", file, given, got, want)
		}
		out = append(out, given+"----\n"+got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type world struct {
	m    landfall.Map
	down []string
}

// run executes the command of one block.
func (w *world) run(t *testing.T, given string) string {
	var lines [][]string
	for line := range strings.Lines(given) {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
			lines = append(lines, f)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	switch command, args := lines[0][0], lines[0][1:]; command {
	case "map":
		w.m = landfall.Map{}
		for _, f := range lines[1:] {
			w.declare(t, f)
		}
		return ""
	case "down":
		w.down = args
		return ""
	case "choose":
		return w.choose(t, args[0], args[1:])
	default:
		t.Fatalf("unknown command %q", command)
		return ""
	}
}

func (w *world) declare(t *testing.T, f []string) {
	switch f[0] {
	case "region":
		place, err := landfall.ParsePlace(f[2])
		if err != nil {
			t.Fatal(err)
		}
		w.m.Regions = append(w.m.Regions, landfall.Region{ID: landfall.RegionID(f[1]), Place: place, Home: slices.Contains(f, "home")})
	case "edge":
		n := landfall.Node{ID: landfall.NodeID(f[1]), Region: landfall.RegionID(f[2]), Roles: []landfall.Role{landfall.RoleEdge}}
		if len(f) > 3 {
			n.State = landfall.State(f[3])
		}
		w.m.Nodes = append(w.m.Nodes, n)
	case "prefer":
		var p landfall.Preference
		for r := range strings.SplitSeq(f[1], ",") {
			p.Regions = append(p.Regions, landfall.RegionID(r))
		}
		c := known(t, f[2:])
		p.ASN, p.Country, p.Continent, p.Prefix = c.Location.ASN, c.Location.Country, c.Location.Continent, c.Spread
		w.m.Preferences = append(w.m.Preferences, p)
	default:
		t.Fatalf("unknown line %q", f)
	}
}

// known reads what is known of a client, by pairs of words.
func known(t *testing.T, f []string) (c Client) {
	var err error
	for ; len(f) > 1 && err == nil; f = f[2:] {
		switch f[0] {
		case "country":
			c.Location.Country = f[1]
		case "continent":
			c.Location.Continent = f[1]
		case "asn":
			_, err = fmt.Sscan(f[1], &c.Location.ASN)
		case "addr":
			c.Addr, err = netip.ParseAddr(f[1])
		case "measured":
			for id := range strings.SplitSeq(f[1], ",") {
				c.Measured = append(c.Measured, landfall.NodeID(id))
			}
		case "spread", "prefix":
			c.Spread, err = netip.ParsePrefix(f[1])
		default:
			t.Fatalf("unknown word %q", f[0])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) choose(t *testing.T, where string, more []string) string {
	client := known(t, more)
	if where != "unknown" {
		place, err := landfall.ParsePlace(where)
		if err != nil {
			t.Fatal(err)
		}
		client.Location.Known, client.Location.Place = true, place
	}
	c := NewRanker(&w.m).Choose(client, func(id landfall.NodeID) bool { return !slices.Contains(w.down, string(id)) })
	var b strings.Builder
	fmt.Fprintf(&b, "%s; from %s\n", c.Basis, c.From)
	for _, e := range c.Named {
		b.WriteString("  " + describe(e))
	}
	if len(c.LeftOut) > 0 {
		b.WriteString("left out:\n")
	}
	for _, e := range c.LeftOut {
		b.WriteString("  " + describe(e))
	}
	return b.String()
}

func describe(e Edge) string {
	line := fmt.Sprintf("%s in %s, %.0f km", e.ID, e.Region, e.Distance)
	if e.Draining {
		line += ", draining"
	}
	if !e.Up {
		line += ", down"
	}
	return line + "\n"
}

// Whoever ranks the same edges gets the same order, in whatever order the map
// lists them.
func TestOrderOfTheMapDoesNotMatter(t *testing.T) {
	var w world
	for _, line := range []string{
		"region a 0,0 home", "region b 0,0", "region c 10,10",
		"edge b1 b", "edge c1 c", "edge a2 a", "edge a1 a", "edge c2 c draining",
	} {
		w.declare(t, strings.Fields(line))
	}
	up := func(id landfall.NodeID) bool { return id != "a2" }
	for _, loc := range []landfall.Location{{}, {Known: true, Place: landfall.Place{Lat: 5, Lon: 5}}} {
		want := fmt.Sprint(Choose(&w.m, loc, up))
		for range len(w.m.Nodes) {
			w.m.Nodes = append(w.m.Nodes[1:], w.m.Nodes[0])
			if got := fmt.Sprint(Choose(&w.m, loc, up)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}

// When an edge goes, only the prefixes that it was first for find others.
func TestOnlyTheDeadEdgesPrefixesMove(t *testing.T) {
	var w world
	for _, line := range []string{"region a 0,0 home", "edge a1 a", "edge a2 a", "edge a3 a", "edge a4 a"} {
		w.declare(t, strings.Fields(line))
	}
	w.m.Nodes[1].Weight = 300
	r := NewRanker(&w.m)
	first := map[landfall.NodeID]int{}
	for i := range 1 << 12 {
		c := Client{Spread: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 4), byte(i << 4)}), 16)}
		all := r.Choose(c, func(landfall.NodeID) bool { return true }).Named
		first[all[0].ID]++
		for dead := range all {
			rest := r.Choose(c, func(id landfall.NodeID) bool { return id != all[dead].ID }).Named
			for j, e := range rest {
				if was := all[j+max(0, min(1, j-dead+1))]; e.ID != was.ID {
					t.Fatalf("%v: without %s, %s comes in the place of %s", c.Spread, all[dead].ID, e.ID, was.ID)
				}
			}
		}
	}
	for id, n := range first {
		want := 1.0 / 6
		if id == "a2" {
			want = 0.5
		}
		if share := float64(n) / (1 << 12); math.Abs(share-want) > 0.03 {
			t.Errorf("%s is first for %.3f of all prefixes, want %.3f", id, share, want)
		}
	}
}

func TestPredictionsAreBetweenLightAndPatience(t *testing.T) {
	for _, km := range []float64{-1, 0, 500, 6200, 20000, 1e9} {
		if p, f := Predict(km), Fastest(km); p <= f || f < 0 || p > 400*time.Millisecond {
			t.Errorf("%v km: %v, at best %v", km, p, f)
		}
	}
	if p := Predict(6203); p < 80*time.Millisecond || p > 110*time.Millisecond {
		t.Errorf("Frankfurt to New York: %v", p)
	}
}
