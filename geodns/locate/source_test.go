package locate

import (
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"landfall"
)

// fallback is a database that puts everything that is known in one country.
func fallback(t *testing.T) []byte {
	return makeDB(t, "Some-Coarse-City", 6, []network{{prefix: "1.0.0.0/8", place: at(60, 100), iso: "RU", cont: "AS"}})
}

// newRefuge is a disk whose File has a fallback; the files are not there yet.
func newRefuge(t *testing.T, await bool) *disk {
	t.Helper()
	d := newDisk(t)
	for _, path := range []string{d.sources.Places, d.sources.Networks} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	var awaited Sources
	if await {
		awaited = d.sources
	}
	var err error
	d.file, err = NewFile(FileConfig{
		Sources: d.sources, Awaited: awaited, Fallback: fallback(t), Log: slog.New(slog.NewTextHandler(&d.log, nil)),
		Changed: func(table *Table) { d.tables = append(d.tables, table) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// asn wants an address in a network; 0: in one that is not known.
func (d *disk) asn(addr string, want uint32) {
	d.Helper()
	if asn, _ := d.file.Table().Networks().Lookup(netip.MustParseAddr(addr)); asn != want {
		d.Fatalf("%s is in AS%d, want AS%d", addr, asn, want)
	}
}

// said wants words in the log since this was last asked, and forgets them.
func (d *disk) said(words ...string) {
	d.Helper()
	for _, w := range words {
		if !strings.Contains(d.log.String(), w) {
			d.Fatalf("no %q in the log:\n%s", w, &d.log)
		}
	}
	d.log.Reset()
}

// TestFilesAreTakenEachForItself: what one of them lacks costs no more than
// what it would tell.
func TestFilesAreTakenEachForItself(t *testing.T) {
	d := newRefuge(t, false)
	d.check(d.sources.Networks)
	d.country("1.1.1.1", "RU")
	d.said("level=ERROR", "going on without it", d.sources.Places, d.sources.Networks)
	if got := d.file.Missing(); !slices.Equal(got, []string{d.sources.Places, d.sources.Networks}) {
		t.Errorf("missing %q", got)
	}

	d.write(d.sources.Places, makeDB(t, "Test-City", 6, testNetworks()))
	if err := d.file.SetOverrides([]landfall.Override{overASN(64500, oslo(), "NO")}); err != nil {
		t.Fatal(err)
	}
	d.check("")
	d.country("1.1.1.1", "DE")
	d.country("1.0.0.1", "DE") // nobody knows that it is in AS64500
	d.said("level=WARN", "geography is whole again")

	numbers := makeDB(t, "Test-ASN", 6, testNumbers())
	d.write(d.sources.Networks, numbers)
	d.check("")
	d.asn("1.0.0.1", 64500)
	d.country("1.0.0.1", "NO")
	if got := d.file.Missing(); len(got) > 0 {
		t.Errorf("missing %q", got)
	}

	// From now on both go their own ways.
	d.write(d.sources.Networks, numbers[:100])
	rows := testNetworks()
	rows[0].iso = "AT"
	d.write(d.sources.Places, makeDB(t, "Test-City", 6, rows))
	d.check(d.sources.Networks)
	d.country("1.1.1.1", "AT")
	d.asn("1.0.0.1", 64500)
	if s := d.file.Stats(); s.Loads != 4 || s.Refused != 3 {
		t.Errorf("%d loads, %d refused", s.Loads, s.Refused)
	}
}

// TestDamageAtTheStartIsSurvived: with a fallback, whatever is there instead
// of a database; and the database is taken as soon as it is.
func TestDamageAtTheStartIsSurvived(t *testing.T) {
	whole := makeDB(t, "Test-City", 6, testNetworks())
	for name, spoil := range map[string]func(path string) error{
		"empty":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"cut":         func(path string) error { return os.WriteFile(path, whole[:len(whole)/2], 0o600) },
		"a page":      func(path string) error { return os.WriteFile(path, []byte("<html>"), 0o600) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newRefuge(t, true)
			if err := spoil(d.sources.Places); err != nil {
				t.Fatal(err)
			}
			d.check(d.sources.Places)
			d.check("") // said once
			d.country("1.1.1.1", "RU")
			d.said("level=ERROR", "geography refused")
			if s := d.file.Stats(); s.Refused != 1 || len(s.Stale) > 0 {
				t.Errorf("%d refused, ages %v", s.Refused, s.Stale)
			}
			if err := os.Remove(d.sources.Places); err != nil {
				t.Fatal(err)
			}
			d.write(d.sources.Places, whole)
			d.check("")
			d.country("1.1.1.1", "DE")
			d.said("level=WARN msg=\"geography is whole again\" file=" + d.sources.Places)
			if s := d.file.Stats(); s.Stale["places"] == 0 {
				t.Errorf("ages %v", s.Stale)
			}
			d.check("")
			if d.log.Len() > 0 {
				t.Errorf("said again:\n%s", &d.log)
			}
		})
	}
}

func TestWhatWillBeBroughtIsAwaitedInPeace(t *testing.T) {
	d := newRefuge(t, true)
	d.check("")
	d.country("1.1.1.1", "RU")
	d.write(d.sources.Places, makeDB(t, "Test-City", 6, testNetworks()))
	d.check("")
	d.country("1.1.1.1", "DE")
	if strings.Contains(d.log.String(), "level=ERROR") || strings.Contains(d.log.String(), "level=WARN") {
		t.Errorf("said:\n%s", &d.log)
	}
	if err := os.Remove(d.sources.Places); err != nil {
		t.Fatal(err)
	}
	d.check(d.sources.Places) // it was there
	if s := d.file.Stats(); s.Refused != 1 {
		t.Errorf("%d refused", s.Refused)
	}
}

func TestRecoveryIsToldOnce(t *testing.T) {
	d := newDisk(t)
	d.check("")
	whole := makeDB(t, "Test-City", 6, testNetworks())
	for _, bad := range [][]byte{nil, whole[:100]} {
		d.write(d.sources.Places, bad)
		d.check(d.sources.Places)
	}
	for range 2 {
		d.write(d.sources.Places, whole)
		d.check("")
	}
	if n := strings.Count(d.log.String(), "geography is whole again"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &d.log)
	}
}

func TestFallbackMustBeADatabase(t *testing.T) {
	if _, err := NewFile(FileConfig{Fallback: []byte("junk")}); err == nil {
		t.Error("no error")
	}
	f, err := NewFile(FileConfig{Fallback: fallback(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Check(); err != nil || f.Table().Locations() != 1 || !f.Table().About().Places.Coarse() {
		t.Errorf("%+v, %v", f.Table().About(), err)
	}
}
