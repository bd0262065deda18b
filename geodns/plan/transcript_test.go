package plan

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"landfall"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestTranscripts runs the stories in testdata, in the world of three. Each is
// made of blocks, divided by empty lines: a command, "----", and what it
// prints.
//
//	demand N            requests a second
//	ceilings ID=N ...   of edges
//	down [ID...]        the edges that are down from here on
//	drain [ID...]       those that drain
//	loads               what edges serve, in requests a second, and whether it is too much for all
//	moves               who is told something else than if all were up
//	tell ADDRESS        what its clients are told, and why
//
// Lines that start with # are remarks.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := story{in: three()}
			var out []string
			for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
				given, want, _ := strings.Cut(block+"\n", "----\n")
				got := s.run(t, given)
				if got != want && !*update {
					t.Errorf("%sgot:\n%swant:\n%s", given, got, want)
				}
				out = append(out, given+"----\n"+got)
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(out, "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

type story struct{ in Input }

func (s *story) run(t *testing.T, given string) string {
	var f []string
	for line := range strings.Lines(given) {
		if !strings.HasPrefix(line, "#") {
			f = strings.Fields(line)
		}
	}
	switch command, args := f[0], f[1:]; command {
	case "demand":
		fmt.Sscan(args[0], &s.in.Demand)
	case "ceilings":
		s.ceilings(args)
	case "down":
		s.in.Down = map[landfall.NodeID]bool{}
		for _, id := range args {
			s.in.Down[landfall.NodeID(id)] = true
		}
	case "drain":
		for i, n := range s.in.Map.Nodes {
			if s.in.Map.Nodes[i].State = landfall.Active; slices.Contains(args, string(n.ID)) {
				s.in.Map.Nodes[i].State = landfall.Draining
			}
		}
	case "loads":
		return s.loads()
	case "moves":
		return s.moves()
	case "tell":
		return s.tell(args[0])
	default:
		t.Fatalf("unknown command %q", command)
	}
	return ""
}

func (s *story) ceilings(args []string) {
	for _, a := range args {
		id, n, _ := strings.Cut(a, "=")
		i := slices.IndexFunc(s.in.Map.Nodes, func(n landfall.Node) bool { return string(n.ID) == id })
		fmt.Sscan(n, &s.in.Map.Nodes[i].Ceiling)
	}
}

func (s *story) loads() string {
	var b strings.Builder
	p := Compile(s.in)
	for _, l := range p.Loads() {
		fmt.Fprintf(&b, "  %s %.0f of %.0f", l.Edge, l.Load*s.in.Demand, l.Ceiling*s.in.Demand)
		if !l.Serves {
			b.WriteString(", does not serve")
		}
		b.WriteString("\n")
	}
	if p.Overloaded() {
		b.WriteString("  that is too much\n")
	}
	return b.String()
}

func (s *story) moves() string {
	up := s.in
	up.Down = nil
	var b strings.Builder
	for _, f := range Flows(Diff(Compile(up), Compile(s.in), A)) {
		fmt.Fprintf(&b, "  from %v to %v: %.1f%% of clients\n", f.From.Edges, f.To.Edges, f.Share*100)
	}
	return b.String()
}

func (s *story) tell(a string) string {
	e := Compile(s.in).Explain(A, netip.MustParseAddr(a), false)
	var b strings.Builder
	fmt.Fprintf(&b, "  %v to all of %v; %s, from %s\n", e.Choice.Edges, e.Scope, e.Basis, e.From)
	for _, c := range e.Edges {
		fmt.Fprintf(&b, "  %s: %.0f km, %v: %s %v\n", c.ID, c.Distance, c.RTT.Round(1e6), c.Why, c.Instead)
	}
	return b.String()
}
