package gdnsd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"landfall"
	"landfall/cmd/internal/config"
)

// seeds adds the files of testdata with a suffix of their path.
func seeds(f *testing.F, match func(path string) bool) {
	f.Helper()
	err := filepath.WalkDir("testdata", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !match(p) || strings.Contains(p, "fuzz") {
			return err
		}
		b, err := os.ReadFile(p)
		f.Add(string(b))
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
}

func one(name, text string) fstest.MapFS {
	return fstest.MapFS{name: {Data: []byte(text)}}
}

// FuzzConfiguration gives files in vscf syntax: they are read or refused with
// a place in the file, and what is read can be written and read again.
func FuzzConfiguration(f *testing.F) {
	seeds(f, func(p string) bool { return !strings.Contains(p, "zones") && !strings.HasSuffix(p, ".txt") })
	for _, s := range []string{`a=b`, `a => [ b c, { d = "e\"\010" } ]`, "[ a\\ b, c ]\n", `$include{ config }`, `a = $include{*}`, "a={", "a=\\", "a=\\25", `"`, "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := &files{root: one("config", text)}
		v := files.parse(place{file: "/config"}, "/config")
		if v == nil && len(files.faults) == 0 {
			t.Fatal("nothing was read and nothing is wrong")
		}
		for _, p := range files.faults {
			if p.Line < 1 || p.Line > strings.Count(text, "\n")+1 || p.Column < 1 || p.Msg == "" || p.Cure == "" {
				t.Fatalf("fault %+v", p)
			}
		}
		if v == nil || len(files.faults) > 0 {
			return
		}
		w := writer{}
		written := w.write(v)
		files.root = one("config", written)
		back := files.parse(place{file: "/config"}, "/config")
		if back == nil || w.write(back) != written {
			t.Fatalf("%q is written %q, in which is found %v", text, written, files.faults)
		}
	})
}

// writer writes values in vscf syntax.
type writer struct{}

func (w writer) write(v *value) string {
	if v.kind == aHash {
		return w.keys(v)
	}
	return w.value(v)
}

func (w writer) keys(v *value) string {
	var b strings.Builder
	for _, k := range v.keys {
		b.WriteString(w.text(k.name) + "=" + w.value(k.value) + "\n")
	}
	return b.String()
}

func (w writer) value(v *value) string {
	switch v.kind {
	case aHash:
		return "{" + w.keys(v) + "}"
	case aList:
		var items []string
		for _, i := range v.items {
			items = append(items, w.value(i))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return w.text(v.text)
}

func (w writer) text(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// FuzzZone gives zone files: what is read of them is in the zone, and becomes
// records that a network file can hold.
func FuzzZone(f *testing.F) {
	seeds(f, func(p string) bool { return strings.Contains(p, "zones") })
	for _, s := range []string{"@ A 192.0.2.1\n", "a (\n 5 IN TXT \"b\nc\" d )", "$ORIGIN @F\n@Z 1W/2h DYNA a!b\n", "\\. MX 1 \\065\n", "a TYPE1 \\# 0", "\x00 A 1.2.3.4", "a\\\nb TXT \\\nx\n", `"a b" NS "c;d"`, "é TXT é", "@ CAA 0 \x93 \"\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := &files{root: one("zone", text)}
		times := ttls{time.Hour, 5 * time.Second, 1000 * time.Hour}
		z := files.parseZone("example.com", "/zone", times)
		m := &landfall.Map{Network: "x", Domain: "example.com", Regions: []landfall.Region{{ID: "a", Home: true}}}
		n := &network{conf: &conf{files: files}, zone: z, m: m, chosen: &target{}}
		for _, r := range z.records {
			if !within(r.name, "example.com") || r.ttl < 5*time.Second || r.rrtype == "" {
				t.Fatalf("record %+v", r)
			}
			if r.rrtype != "DYNA" && r.rrtype != "DYNC" {
				n.record(r)
			}
		}
		beside := files.parseZone("example.org", "/zone", times)
		n.open(beside)
		for _, r := range beside.records {
			if r.rrtype != "DYNA" && r.rrtype != "DYNC" {
				n.record(r)
			}
		}
		n.normal(0)
		for _, p := range files.faults {
			if p.Line < 0 || p.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("fault %+v", p)
			}
		}
		files.faults = nil
		n.settle()
		if len(files.faults) > 0 {
			t.Fatalf("%v", files.faults)
		}
		if _, problems := config.Parse("network.toml", []byte(config.Write(m, false)), zoneFaults); len(problems) > 0 {
			t.Fatal((&config.Error{Problems: problems}).Explain())
		}
	})
}

// FuzzImport gives whole configurations with a zone: what comes of them is a
// network file, or faults.
func FuzzImport(f *testing.F) {
	f.Add("plugins={metafo={resources={m={datacenters=[a],dcmap={a=192.0.2.1}}}}}", "a DYNA metafo!m\n@ NS b.\n")
	for _, folder := range []string{"testdata/full", "testdata/small"} {
		c, err := os.ReadFile(folder + "/config")
		if err != nil {
			f.Fatal(err)
		}
		z, err := os.ReadFile(folder + "/zones/example.com")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(c), string(z))
	}
	f.Fuzz(func(t *testing.T, text, zone string) {
		root := fstest.MapFS{"config": {Data: []byte(text)}, "zones/example.com": {Data: []byte(zone)}, "zones/example.org": {Data: []byte(zone)}}
		r, err := Import(root, "/", Options{Zone: "example.com", Places: map[string]landfall.Place{}})
		if err != nil {
			if bad, ok := errors.AsType[*config.Error](err); !ok || len(bad.Problems) == 0 {
				t.Fatal(err)
			}
			return
		}
		checkText(t, r)
	})
}
