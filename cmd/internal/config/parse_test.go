package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"landfall"
)

var update = flag.Bool("update", false, "write what is said now into the golden files")

// golden compares what is said with the file that holds what should be.
func golden(t *testing.T, file, got string) {
	t.Helper()
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
		t.Errorf("%s (run with -update if the new text is right):\n--- want\n%s--- got\n%s", file, want, got)
	}
}

// TestFaultsAreToldAtOnce reads files with faults and compares everything
// that the user is told.
func TestFaultsAreToldAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, problems := Parse(filepath.Base(file), src)
			if m != nil || len(problems) == 0 {
				t.Fatalf("got the map %v and %d problems", m, len(problems))
			}
			bad := &Error{problems}
			golden(t, strings.TrimSuffix(file, "toml")+"txt", bad.Explain()+bad.Error()+"\n")
		})
	}
}

func TestEveryProblemHasACure(t *testing.T) {
	files, _ := filepath.Glob("testdata/check/*.toml")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, problems := Parse(file, src)
		for _, p := range problems {
			if p.Cure == "" {
				t.Errorf("no cure: %v", p)
			}
		}
	}
}

// TestExampleUsesEveryKey keeps the manual whole: the example is a good file
// and leaves no field of the schema out.
func TestExampleUsesEveryKey(t *testing.T) {
	m, problems := Parse("example.toml", []byte(Example()))
	if len(problems) > 0 {
		t.Fatal((&Error{problems}).Explain())
	}
	if home, ok := m.Home(); !ok || home.ID != "fra" || home.Title != "Frankfurt" || home.Place != (landfall.Place{Lat: 50.11, Lon: 8.68}) {
		t.Errorf("home region is %+v", home)
	}
	if len(m.Regions) != 3 || len(m.Nodes) != 3 || len(m.Services) != 4 || len(m.Records) != 1 || len(m.Zones) != 1 || len(m.Zones[0].Records) != 2 {
		t.Errorf("got %d regions, %d nodes, %d services, %d records", len(m.Regions), len(m.Nodes), len(m.Services), len(m.Records))
	}
	var tree map[string]any
	if err := toml.Unmarshal([]byte(Example()), &tree); err != nil {
		t.Fatal(err)
	}
	for _, s := range shelves() {
		used := map[string]bool{}
		gather(used, tree, strings.Trim(s.header, "[]"))
		for _, f := range s.fields {
			if !used[f.key] && !strings.Contains(Example(), "\n#"+f.key+" = ") {
				t.Errorf("%s %s is not in the example", s.header, f.key)
			}
		}
	}
}

// gather notes the keys that the table name has, or any table of that list.
func gather(used map[string]bool, tree map[string]any, name string) {
	var tables []any
	switch v := tree[name].(type) {
	case nil:
		tables = []any{tree}
	case []any:
		tables = v
	default:
		tables = []any{v}
	}
	for _, table := range tables {
		for key := range table.(map[string]any) {
			used[key] = true
		}
	}
}

// TestFormsOfTheSameFile reads one network written in several ways.
func TestFormsOfTheSameFile(t *testing.T) {
	want, problems := Parse("plain", []byte(`
name = "n"
domain = "n.test"
[[region]]
id = "fra"
place = "50.11,8.68"
home = true
[[node]]
id = "fra1"
region = "fra"
roles = ["edge", "dns"]
addresses = ["192.0.2.1"]
[steering]
ttl = "1m"
[ports]
https = 8443
`))
	if problems != nil {
		t.Fatal((&Error{problems}).Explain())
	}
	for name, src := range map[string]string{
		"inline": `name = "n"
			domain = 'n.test'
			region = [{ id = "fra", place = "50.11, 8.68", home = true }]
			node = [{ id = "fra1", region = "fra", roles = [
				"edge", # comment
				"dns",
			], addresses = ["192.0.2.1"] }]
			steering = { ttl = "60s" }
			ports = { https = 0x20fb }`,
		"dotted, order, quotes": `ports.https = 8_443
			steering.ttl = """1m"""
			"domain" = "n.test"
			'name' = "\u006e"
			[[node]]
			addresses = ["192.0.2.1"]
			roles = ["edge", "dns"]
			region = "fra"
			id = "fra1"
			[[region]]
			home = true
			place = "50.11,8.68"
			id = "fra"`,
	} {
		got, problems := Parse(name, []byte(src))
		if problems != nil {
			t.Error((&Error{problems}).Explain())
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestFurtherChecksAreToldWithTheRest hands in a check that finds something
// at a place of its own, at one that has a fault already, and at none.
func TestFurtherChecksAreToldWithTheRest(t *testing.T) {
	src := "name = 'n'\ndomain = 'n.test'\n[[region]]\nid = 'F'\nplace = 7\nhome = true\n"
	_, problems := Parse("f", []byte(src), func(m *landfall.Map) []landfall.Fault {
		if m.Network != "n" {
			t.Errorf("the check got %+v", m)
		}
		return []landfall.Fault{{Path: "name", Msg: "mine"}, {Path: "region[0].id", Msg: "again"}, {Path: "region[0].place", Msg: "follows"}}
	})
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		"f:1:8: mine",
		`f:4:6: region id "F" has a capital letter`,
		`f:5:9: region "F": place is a whole number, want a place in quotes`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTooLargeAFileIsNotRead(t *testing.T) {
	_, problems := Parse("big", make([]byte, MaxSize+1))
	if len(problems) != 1 || !strings.Contains(problems[0].Msg, "4194305 bytes") {
		t.Errorf("got %v", problems)
	}
}

// FuzzParse holds that no file makes Parse panic, that problems stand inside
// the file, that what is printed has no control characters and its carets
// stand below the line, and that a file we accept is TOML.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/check/*.toml")
	for _, file := range append(files, "example.toml") {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(src) < 1<<12 {
			f.Add(src)
		}
	}
	f.Add([]byte("name='n'\ndomain='n.n'\n[[region]]\nid='f'\nplace='1,2'\nhome=true\n"))
	f.Add([]byte("name='n'\ndomain='n.n'\nregion=[{id='f',place='1,2',home=true}]\nports.dns=1\n[steering]\nttl='1s'\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		m, problems := Parse("f", src)
		if (m == nil) == (len(problems) == 0) {
			t.Fatalf("map %v and %d problems", m, len(problems))
		}
		if m != nil {
			accepted(t, m, src)
		}
		lines := strings.Split(strings.TrimPrefix(string(src), "\ufeff"), "\n")
		for i, p := range problems {
			inside(t, lines, p)
			if i > 0 && (p.Line < problems[i-1].Line || p.Line == problems[i-1].Line && p.Column < problems[i-1].Column) {
				t.Errorf("%v comes after %v", p, problems[i-1])
			}
			if text := p.Explain(); !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x1b\r\t") {
				t.Errorf("not fit to print: %q", text)
			}
		}
	})
}

func accepted(t *testing.T, m *landfall.Map, src []byte) {
	t.Helper()
	var any map[string]any
	if err := toml.Unmarshal([]byte(strings.TrimPrefix(string(src), "\ufeff")), &any); err != nil {
		t.Errorf("accepted %q, but %v", src, err)
	}
	if faults := m.Check(); faults != nil {
		t.Errorf("the map has faults: %v", faults)
	}
}

func inside(t *testing.T, lines []string, p Problem) {
	t.Helper()
	if p.Line < 1 || p.Line > len(lines) {
		t.Fatalf("%v: there are %d lines", p, len(lines))
	}
	if n := utf8.RuneCountInString(lines[p.Line-1]); p.Column < 1 || p.Column > n+1 {
		t.Errorf("%v: the line has %d characters", p, n)
	}
	if columns(p.Carets) > columns(p.Text)+1 || strings.Trim(p.Carets, " ^") != "" || p.Carets == "" != (p.Text == "") && p.Carets != "^" {
		t.Errorf("%v: carets %q below %q", p, p.Carets, p.Text)
	}
}
