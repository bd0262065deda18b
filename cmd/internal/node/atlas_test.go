package node

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/geodns/locate"
)

// coarseIn is a database that places everything that it knows in Russia.
func coarseIn(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(america(t))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(b, []byte("US"), []byte("RU"))
}

// country is where the atlas has the one network of america.
func country(a *Atlas) string {
	loc, _ := a.Locate(netip.MustParseAddr("198.32.0.1"))
	return loc.Country
}

// TestAtlasSurvivesWhatIsInPlaceOfADatabase: a node starts without its
// database, says so, and takes it as soon as it is there and whole.
func TestAtlasSurvivesWhatIsInPlaceOfADatabase(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"nothing":   func(string) error { return nil },
		"damage":    func(path string) error { return os.WriteFile(path, []byte("half a down"), 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			whole, path := america(t), filepath.Join(t.TempDir(), "city.mmdb")
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				a, err := OpenAtlas(AtlasConfig{Sources: locate.Sources{Places: path}, Coarse: coarseIn(t), Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				if got := country(a); got != "RU" {
					t.Errorf("at the start in %q", got)
				}
				if s := a.Stats(); s.Refused != 1 || !strings.Contains(log.String(), "level=ERROR") || len(a.Missing()) != 1 {
					t.Errorf("%d refused, missing %q, said\n%s", s.Refused, a.Missing(), &log)
				}
				heard := 0
				a.Follow(func(*locate.Table) { heard++ })
				_ = os.Remove(path) // or it was never there
				if err := os.Rename(whole, path); err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- a.Run(ctx) }()
				time.Sleep(2 * locate.DefaultInterval)
				synctest.Wait()
				if got := country(a); got != "US" || heard != 1 || len(a.Missing()) != 0 {
					t.Errorf("afterwards in %q, heard of %d tables, missing %q", got, heard, a.Missing())
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestAtlasWithoutNetworksKeepsItsPlaces: and heeds overrides by prefix.
func TestAtlasWithoutNetworksKeepsItsPlaces(t *testing.T) {
	sources := locate.Sources{Places: america(t), Networks: filepath.Join(t.TempDir(), "asn.mmdb")}
	a, err := OpenAtlas(AtlasConfig{Sources: sources, Coarse: coarseIn(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := country(a); got != "US" {
		t.Errorf("in %q", got)
	}
	m := &landfall.Map{Serial: 2, Overrides: []landfall.Override{
		{ASN: 64500, Country: "NO"},
		{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Country: "XX"},
		{Prefix: netip.MustParsePrefix("198.32.0.0/24"), Country: "FR"},
	}}
	a.SetMap(m)
	if got := country(a); got != "FR" {
		t.Errorf("with an override beside bad ones in %q", got)
	}
	if s := a.Stats(); s.Refused != 2 { // the file of networks, and an override
		t.Errorf("%d refused", s.Refused)
	}
	m.Overrides = []landfall.Override{m.Overrides[0], m.Overrides[2]}
	if table, err := a.Try(m); err != nil || table.Locations() == 0 {
		t.Errorf("tried: %v", err)
	}
}

// TestAtlasAloneWantsItsDatabases: where nothing is coarse.
func TestAtlasAloneWantsItsDatabases(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.mmdb")
	for _, sources := range []locate.Sources{{}, {Places: none}, {Places: america(t), Networks: none}} {
		if _, err := OpenAtlas(AtlasConfig{Sources: sources}); err == nil {
			t.Errorf("opened %+v", sources)
		}
	}
}
