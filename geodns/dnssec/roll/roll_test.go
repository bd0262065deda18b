package roll

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// story is a transcript: what is said, in lines, what comes of it below each.
//
//	begin [carried]        a zone of now on
//	at HOURS               the clock
//	look current ds=1,2    facts: all name servers are up to date; the parent zone has these
//	roll zsk|ksk, unsign, saw
func story(t *testing.T, script string) string {
	t.Helper()
	p := Policy{
		KeyTTL: time.Hour, ZoneTTL: 24 * time.Hour, ParentTTL: 48 * time.Hour, ParentLag: 2 * time.Hour,
		Propagation: 100 * time.Hour, ZSKLife: 1000 * time.Hour, Ahead: 2000 * time.Hour,
	}
	var out strings.Builder
	var s State
	now := epoch
	hours := func(at time.Time) string {
		if at.IsZero() {
			return "-"
		}
		return fmt.Sprint(int(at.Sub(epoch) / time.Hour))
	}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "=") {
			continue
		}
		fmt.Fprintln(&out, line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		var err error
		var steps []Step
		f := Facts{}
		switch words[0] {
		case "begin":
			p.Carried = len(words) > 1
			s = Begin("example.test", p, now)
		case "at":
			var h int
			fmt.Sscan(words[1], &h)
			now = epoch.Add(time.Duration(h) * time.Hour)
		case "look":
			for _, w := range words[1:] {
				f.Current = f.Current || w == "current"
				if list, ok := strings.CutPrefix(w, "ds="); ok {
					f.Parent = Parent{Known: true, None: list == "", TTL: 48 * time.Hour}
					for id := range strings.SplitSeq(list, ",") {
						var n ID
						if _, err := fmt.Sscan(id, &n); err == nil {
							f.Parent.All = append(f.Parent.All, n)
						}
					}
				}
			}
		case "roll":
			s, err = s.Roll(Role(words[1]), now)
		case "unsign":
			s, err = s.Unsign(now)
		case "saw":
			s, err = s.SawDS(now, 0)
		default:
			t.Fatalf("%q?", line)
		}
		if err != nil {
			fmt.Fprintf(&out, "= %v\n", err)
			continue
		}
		var when time.Time
		s, steps, when = s.Next(now, f)
		for _, step := range steps {
			fmt.Fprintf(&out, "= %s %d at %s\n", step.What, step.Key, hours(step.At))
		}
		v := s.At(now)
		fmt.Fprintf(&out, "= shows %v, signs %d, asks %d, delete %t; next %s\n", v.Shown, v.Signing, v.Asked, v.Delete, hours(when))
		for _, k := range s.Keys {
			what, at := s.Coming(k, now)
			line := fmt.Sprintf("=   %d %s %s, %s: %s", k.ID, k.Role, s.Phase(k, now), hours(at), what)
			fmt.Fprintln(&out, strings.TrimRight(line, ": "))
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
	return out.String()
}

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories:", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := story(t, string(b))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(b) && !*update {
				t.Errorf("go test -update writes what comes of it now:\n%s", got)
			}
		})
	}
}

// Whatever facts a state is told, it stays one that Check takes, and a look
// without news changes nothing but what time brings.
func TestNextIsSettled(t *testing.T) {
	for seed := range uint64(200) {
		w := walk(t, seed, seed%2 == 0)
		if err := w.state.Check(); err != nil {
			t.Fatal(err)
		}
		once, _, when := w.state.Next(w.time(), Facts{})
		twice, steps, again := once.Next(w.time(), Facts{})
		if !once.Equal(twice) || len(steps) > 0 || !when.Equal(again) {
			t.Errorf("walk %d: a second look at the same moment does %v", seed, steps)
		}
	}
}

// What is foreseen comes true if all do what they are asked for.
func TestForeseen(t *testing.T) {
	s, _, _ := Begin("example.test", modelPolicy, epoch).Next(epoch, Facts{})
	s, _, _ = s.Next(epoch.Add(time.Hour), Facts{Current: true})
	at := s.Keys[0].Ask
	s, _, _ = s.Next(at, Facts{Current: true, Parent: Parent{Known: true, All: []ID{1}, TTL: time.Hour}})
	if s, _ = s.SawDS(at, time.Hour); s.Keys[0].Seen.IsZero() {
		t.Fatal("not seen")
	}
	s, err := s.Roll(KSK, at)
	if err != nil {
		t.Fatal(err)
	}
	var what []string
	for _, step := range s.Foresee(at, at.Add(20*time.Hour)) {
		if step.Key == s.Last || step.Key == 1 {
			what = append(what, fmt.Sprint(step.What, step.Key))
		}
	}
	if got, want := strings.Join(what, " "), "ask3 seen3 remove1 forget1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
