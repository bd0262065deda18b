package gdnsd

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"landfall"
	"landfall/cmd/internal/config"
	ours "landfall/geodns/zone"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestImports reads each configuration of testdata. The file want.txt beside
// it says what becomes of it: what became what, what has no counterpart, and
// the network file; or what is wrong with it.
func TestImports(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/config")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, folder := range folders {
		folder = filepath.Dir(folder)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			got := story(t, folder)
			file := filepath.Join(folder, "want.txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// story is all that an import says. The file args, if there is one, holds
// ZONE and DC=LAT,LON, a line each.
func story(t *testing.T, folder string) string {
	t.Helper()
	o := Options{Places: map[string]landfall.Place{}}
	args, _ := os.ReadFile(filepath.Join(folder, "args"))
	for line := range strings.Lines(string(args)) {
		if dc, where, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			p, err := landfall.ParsePlace(where)
			if err != nil {
				t.Fatal(err)
			}
			o.Places[dc] = p
		} else {
			o.Zone = dc
		}
	}
	r, err := Import(os.DirFS(folder), "/config", o)
	if bad, ok := errors.AsType[*config.Error](err); ok {
		return bad.Explain()
	}
	if err != nil {
		t.Fatal(err)
	}
	checkText(t, r)
	var b strings.Builder
	fmt.Fprintf(&b, "database %q, listen %q\n", r.Database, r.Listen)
	for _, line := range r.Taken {
		b.WriteString(line + "\n")
	}
	for _, n := range r.Notes {
		b.WriteString(n.String() + "\n")
		if n.Cure != "" {
			b.WriteString("   cure: " + n.Cure + "\n")
		}
	}
	b.WriteString("----\n" + r.Text)
	return b.String()
}

// checkText sees whether the text is a network file, and that of the map.
func checkText(t *testing.T, r *Result) {
	t.Helper()
	m, problems := config.Parse("network.toml", []byte(r.Text), zoneFaults)
	if len(problems) > 0 {
		t.Fatalf("%s\n%s", (&config.Error{Problems: problems}).Explain(), r.Text)
	}
	if got, want := fmt.Sprintf("%+v", m), fmt.Sprintf("%+v", r.Map); got != want {
		t.Fatalf("the text is read as\n%s\nand was made of\n%s", got, want)
	}
}

func zoneFaults(m *landfall.Map) []landfall.Fault {
	_, faults := ours.Build(m, nil)
	return faults
}
