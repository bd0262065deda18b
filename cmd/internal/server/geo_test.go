package server

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/node"
)

// atlas is what a node with a node.toml knows when it starts.
func atlas(t *testing.T, dir string, local config.Local) (a *node.Atlas, log string) {
	t.Helper()
	var said bytes.Buffer
	s := &server{cfg: Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&said, nil))}, local: local}
	var err error
	if s.fetcher, err = fetcher(s.cfg, local); err != nil {
		t.Fatal(err)
	}
	var cfg node.Config
	if err := s.geography(&cfg); err != nil {
		t.Fatal(err)
	}
	if a, err = node.OpenAtlas(node.AtlasConfig{Sources: cfg.Geo, Awaited: cfg.Awaited, Coarse: cfg.Coarse, Log: s.cfg.Log}); err != nil {
		t.Fatal(err)
	}
	return a, said.String()
}

// TestNodeStartsWhateverItsDatabasesAre: by continents at least; what an
// operator named and is not there is an error, what is fetched is waited for.
func TestNodeStartsWhateverItsDatabasesAre(t *testing.T) {
	for name, c := range map[string]struct {
		local   config.Local
		errors  int
		missing []string
	}{
		"nothing is named":     {config.Local{}, 0, nil},
		"what is not there":    {config.Local{Geo: "/none/city.mmdb", ASN: "/none/asn.mmdb"}, 2, []string{"city.mmdb", "asn.mmdb"}},
		"what is no database":  {config.Local{Geo: "geo_test.go"}, 1, []string{"geo_test.go"}},
		"networks alone":       {config.Local{ASN: "/none/asn.mmdb"}, 1, []string{"asn.mmdb"}},
		"fetched":              {config.Local{Fetch: config.Fetch{Provider: "dbip"}}, 0, []string{"dbip-city-lite.mmdb", "dbip-asn-lite.mmdb"}},
		"fetched, and its own": {config.Local{ASN: "/none/asn.mmdb", Fetch: config.Fetch{Provider: "dbip"}}, 1, []string{"dbip-city-lite.mmdb", "asn.mmdb"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, log := atlas(t, t.TempDir(), c.local)
			if loc, _ := a.Locate(netip.MustParseAddr("193.0.0.1")); loc.Continent != "EU" {
				t.Errorf("193.0.0.1 is at %+v", loc)
			}
			if n := strings.Count(log, "level=ERROR"); n != c.errors {
				t.Errorf("%d errors in\n%s", n, log)
			}
			var missing []string
			for _, path := range a.Missing() {
				missing = append(missing, filepath.Base(path))
			}
			if !slices.Equal(missing, c.missing) {
				t.Errorf("missing %q, want %q", missing, c.missing)
			}
			if !a.Table().About().Places.Coarse() || len(a.Stats().Stale) > 0 {
				t.Errorf("%+v, ages %v", a.Table().About(), a.Stats().Stale)
			}
		})
	}
}

// TestDamagedCoarseFileIsSurvived: it is an operator's perhaps, and stays.
func TestDamagedCoarseFileIsSurvived(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "geo.mmdb")
	if err := os.WriteFile(path, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, log := atlas(t, dir, config.Local{})
	if a.Table().Locations() == 0 || !strings.Contains(log, path) {
		t.Errorf("%d places, said\n%s", a.Table().Locations(), log)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "junk" {
		t.Errorf("the file is %q now, %v", b, err)
	}
}

// TestGeoFileThatCannotBeUsedStopsInitAndJoin: before anything is written, or
// a token is spent.
func TestGeoFileThatCannotBeUsedStopsInitAndJoin(t *testing.T) {
	for _, path := range []string{"/none/city.mmdb", "geo_test.go"} {
		f := founding(t, filepath.Join(t.TempDir(), "landfall"))
		f.Geo = path
		if _, err := Init(t.Context(), f); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("init: %v", err)
		}
		j := Joining{Dir: filepath.Join(t.TempDir(), "landfall"), Geo: path}
		if _, _, err := Join(t.Context(), j); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("join: %v", err)
		}
		for _, dir := range []string{f.Dir, j.Dir} {
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%s was made", dir)
			}
		}
	}
	dir := t.TempDir()
	atlas(t, dir, config.Local{}) // leaves a good one there
	f := founding(t, filepath.Join(t.TempDir(), "landfall"))
	f.Geo = filepath.Join(dir, "geo.mmdb")
	if _, err := Init(t.Context(), f); err != nil {
		t.Error(err)
	}
}
