package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"landfall"
	"landfall/cmd/internal/config"
)

// imported runs the import in a directory with a small configuration.
func imported(t *testing.T, dir string, args ...string) (out, said string, err error) {
	t.Helper()
	for name, text := range map[string]string{
		"config": `options => { listen => [ 192.0.2.53, 192.0.2.54 ], tcp_pad => true }
plugins => { geoip => {
  maps => { m => { geoip2_db => City.mmdb, datacenters => [ a, b ], auto_dc_coords => { a => [ 50, 8 ], b => [ 40, -74 ] } }, bare => { datacenters => [ c ] } }
  resources => { r => { map => m, dcmap => { a => 192.0.2.1, b => 192.0.2.2 } }, s => { map => bare, dcmap => { c => 192.0.2.3 } } }
} }`,
		"zones/example.com": "www 60/60 DYNA geoip!r\n",
		"zones/example.net": "www 60/60 DYNA geoip!s\n",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	env := Env{Stdout: &stdout, Stderr: &stderr, Dir: dir, Getenv: func(string) string { return "" }}
	err = execute(t.Context(), &env, []Command{dnsImportCommand()}, append([]string{"dns", "import-gdnsd"}, args...))
	return stdout.String(), stderr.String(), err
}

func TestImportSaysWhatHasNoCounterpart(t *testing.T) {
	dir := t.TempDir()
	out, said, err := imported(t, dir, "config", "--zone", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := config.Parse("network.toml", []byte(out), func(m *landfall.Map) []landfall.Fault { faults, _ := judgeZones(m); return faults }); len(problems) > 0 {
		t.Errorf("%v\n%s", problems, out)
	}
	for _, want := range []string{
		"zone example.com: 0 records, and a service for each of 1 name of geoip!r\n",
		"serve it with: landfall dns serve --geo " + dir + "/geoip/City.mmdb --listen 192.0.2.53:53 --probe none\n",
		"gdnsd answers on 192.0.2.54:53 too: run one for each\n",
		"3 things have no counterpart, or another one:\n",
		dir + `/config:1:52: options: "tcp_pad" has no counterpart` + "\n",
		"zone example.net: 0 records\n",
		dir + "/zones/example.net:1:1: www.example.net DYNA geoip!s: goes elsewhere than geoip!r, and all services of a network have the same edges: left out\n   cure: import it into a network of its own\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
}

// A file that is there may be one that somebody has changed by hand.
func TestImportOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	args := []string{".", "--zone", "example.net", "--place", "c=1.5,-2", "--output", "network.toml"}
	out, said, err := imported(t, dir, args...)
	if err != nil || out != "" || !strings.Contains(said, "dns serve --geo FILE --network network.toml --listen 192.0.2.53:53 --probe none\n") {
		t.Fatalf("%q %q %v", out, said, err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "network.toml"))
	if err != nil || !strings.Contains(string(before), `place = "1.5,-2"`) {
		t.Fatalf("%s %v", before, err)
	}
	if _, _, err := imported(t, dir, args...); !errors.Is(err, os.ErrExist) || status(err) != ExitFailed {
		t.Errorf("error %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "network.toml")); !bytes.Equal(after, before) {
		t.Error("the file was changed")
	}
}

func TestImportRefusesWhatItCannotUse(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ args, want string }{
		{"config", "has 2 zones, and one of them is the domain"},
		{"config --zone example.org", `has no zone "example.org"`},
		{"config --zone example.net", "bare says not where c is"},
		{"config --zone example.com --place d=1,2", "that is not a datacenter of m"},
		{"config --place fra", "want DC=LAT,LON"},
		{"config --place fra=91,0", "latitude goes from -90 to 90"},
		{"missing", "no such file"},
		{"config --output ", "is not a name"},
	} {
		out, _, err := imported(t, dir, strings.Split(c.args, " ")...)
		if err == nil || out != "" || status(err) != ExitUsage {
			t.Errorf("%s: %q, error %v", c.args, out, err)
			continue
		}
		said := err.Error()
		if bad, ok := errors.AsType[*config.Error](err); ok {
			said = bad.Explain()
		}
		if !strings.Contains(said, c.want) {
			t.Errorf("%s: %s; want %q", c.args, said, c.want)
		}
	}
}
