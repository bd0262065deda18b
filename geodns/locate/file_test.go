package locate

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landfall"
)

// disk is a folder with databases, and the File that follows them.
type disk struct {
	*testing.T
	sources Sources
	file    *File
	log     bytes.Buffer
	tables  []*Table // as Changed was told
}

func newDisk(t *testing.T, over ...landfall.Override) *disk {
	t.Helper()
	d := &disk{T: t, sources: Sources{filepath.Join(t.TempDir(), "places.mmdb"), filepath.Join(t.TempDir(), "asn.mmdb")}}
	d.write(d.sources.Places, makeDB(t, "Test-City", 6, testNetworks()))
	d.write(d.sources.Networks, makeDB(t, "Test-ASN", 6, testNumbers()))
	var err error
	d.file, err = NewFile(FileConfig{
		Sources: d.sources, Overrides: over, Log: slog.New(slog.NewTextHandler(&d.log, nil)),
		Changed: func(table *Table) { d.tables = append(d.tables, table) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// write puts a file in place as a fetcher does: whole.
func (d *disk) write(path string, data []byte) {
	d.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		d.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		d.Fatal(err)
	}
}

// check looks at the files, and wants an error that holds some words or none.
func (d *disk) check(fault string) {
	d.Helper()
	err := d.file.Check()
	if (err == nil) != (fault == "") || err != nil && !strings.Contains(err.Error(), fault) {
		d.Fatalf("got %v, want %q", err, fault)
	}
}

func (d *disk) country(addr, want string) {
	d.Helper()
	if loc, _ := d.file.Table().Locate(netip.MustParseAddr(addr)); loc.Country != want {
		d.Fatalf("%s is in %q, want %q", addr, loc.Country, want)
	}
}

func TestFileIsLoadedAgainWhenItChanges(t *testing.T) {
	d := newDisk(t)
	d.country("1.1.1.1", "") // nothing is known before the first
	d.check("")
	d.country("1.1.1.1", "DE")
	d.check("")
	if len(d.tables) != 1 {
		t.Fatalf("%d tables of one version", len(d.tables))
	}
	rows := testNetworks()
	rows[0].iso = "AT"
	d.write(d.sources.Places, makeDB(t, "Test-City", 6, rows))
	d.check("")
	d.country("1.1.1.1", "AT")
	d.write(d.sources.Networks, makeDB(t, "Test-ASN", 6, []network{{prefix: "1.0.0.0/8", asn: 7}}))
	d.check("")
	if asn, _ := d.file.Table().Networks().Lookup(netip.MustParseAddr("1.1.1.1")); asn != 7 {
		t.Errorf("1.1.1.1 is in AS%d", asn)
	}
	if len(d.tables) != 3 || d.tables[2] != d.file.Table() {
		t.Errorf("told of %d tables", len(d.tables))
	}
}

func TestDamagedFileLeavesTheOldTable(t *testing.T) {
	d := newDisk(t)
	d.check("")
	whole := makeDB(t, "Test-City", 6, testNetworks())
	for _, bad := range [][]byte{nil, whole[:len(whole)-100], []byte("<html>"), makeDB(t, "Test-ASN", 6, testNumbers())} {
		d.write(d.sources.Places, bad)
		d.check(d.sources.Places)
		d.check("") // said once
		d.country("1.1.1.1", "DE")
	}
	if err := os.Remove(d.sources.Places); err != nil {
		t.Fatal(err)
	}
	d.check(d.sources.Places)
	d.check("")
	d.country("1.1.1.1", "DE")
	if n := strings.Count(d.log.String(), "geography refused"); n != 5 {
		t.Errorf("%d lines of the log for 5 bad versions", n)
	}
	if s := d.file.Stats(); s.Loads != 1 || s.Refused != 5 {
		t.Errorf("%d loads, %d refused", s.Loads, s.Refused)
	}
	d.write(d.sources.Places, whole)
	d.check("")
	if len(d.tables) != 2 {
		t.Errorf("told of %d tables", len(d.tables))
	}
}

func TestOverridesAreLaidOverAgain(t *testing.T) {
	d := newDisk(t, over("1.0.0.0/8", oslo(), "NO"))
	d.check("")
	d.country("1.1.1.1", "NO")
	if err := d.file.SetOverrides([]landfall.Override{over("2.0.0.0/8", oslo(), "NO")}); err != nil {
		t.Fatal(err)
	}
	d.check("")
	d.country("1.1.1.1", "DE")
	d.country("2.1.1.1", "NO")
	d.write(d.sources.Places, nil)
	d.check(d.sources.Places)
	d.country("2.1.1.1", "NO")
	// Overrides change while the file is damaged: they go over what there is.
	if err := d.file.SetOverrides(nil); err != nil {
		t.Fatal(err)
	}
	d.check("")
	d.country("2.1.1.1", "US")
}

func TestConfigurationIsChecked(t *testing.T) {
	for want, c := range map[string]FileConfig{
		"no file is named":      {},
		"a look every -1s":      {Sources: Sources{Places: "p"}, Interval: -time.Second},
		"name a database of ne": {Sources: Sources{Places: "p"}, Overrides: []landfall.Override{overASN(1, oslo(), "")}},
	} {
		if _, err := NewFile(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Run is woken by SetOverrides, and ends with its context.
func TestRunFollows(t *testing.T) {
	d := newDisk(t)
	told := make(chan *Table, 10)
	d.file.cfg.Changed = func(table *Table) { told <- table }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.file.Run(ctx) }()
	<-told
	if err := d.file.SetOverrides([]landfall.Override{over("1.0.0.0/8", oslo(), "NO")}); err != nil {
		t.Fatal(err)
	}
	if loc, _ := (<-told).Locate(netip.MustParseAddr("1.1.1.1")); loc.Country != "NO" {
		t.Errorf("1.1.1.1 is in %q", loc.Country)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStatsTellTheAgeOfDatabases(t *testing.T) {
	d := newDisk(t)
	if s := d.file.Stats(); len(s.Stale) != 0 || s.Locations != 0 {
		t.Errorf("before the first: %+v", s)
	}
	d.check("")
	s := d.file.Stats()
	if s.Built["places"] != 1 || s.Built["networks"] != 1 { // as makeDB says
		t.Errorf("built %v", s.Built)
	}
	if age := time.Since(time.Unix(1, 0)).Seconds() - s.Stale["places"]; age < 0 || age > 600 {
		t.Errorf("age %v", s.Stale)
	}
	if s.Leaves["ipv4"] < 10 || s.Leaves["ipv6"] < 10 || s.Locations != 8 || s.Networks != 2 || s.Faults != 1 || s.Bytes < 1000 {
		t.Errorf("%+v", s)
	}
}

func TestOneBadOverrideLeavesTheOthers(t *testing.T) {
	d := newDisk(t)
	d.check("")
	bad := over("2.0.0.0/8", oslo(), "ZZ")
	err := d.file.SetOverrides([]landfall.Override{bad, over("1.0.0.0/8", oslo(), "NO"), overASN(64502, helsinki(), "FI")})
	if err == nil || !strings.Contains(err.Error(), "override 2.0.0.0/8") || strings.Contains(err.Error(), "1.0.0.0/8") {
		t.Errorf("got %v", err)
	}
	d.check("")
	d.country("1.1.1.1", "NO")
	d.country("2.1.1.1", "US")
	d.country("10.1.1.1", "FI")
	if s := d.file.Stats(); s.Refused != 1 {
		t.Errorf("%d refused", s.Refused)
	}
	table, err := d.file.Table().With([]landfall.Override{bad, over("3.0.0.0/8", oslo(), "NO")})
	if loc, _ := table.Locate(netip.MustParseAddr("3.1.1.1")); err == nil || loc.Country != "NO" {
		t.Errorf("3.1.1.1 is in %q, %v", loc.Country, err)
	}
}
