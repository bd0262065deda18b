package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/cmd/internal/keyring"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/keep/keeptest"
	"landfall/geodns/locate"
	"landfall/geodns/zone"
)

// alone is a name server outside any network, as it is after its start, and what
// its log says.
type alone struct {
	t    *testing.T
	keep *os.Root
	log  bytes.Buffer
}

func (a *alone) start(keys keyring.Dir, unsigned ...string) (*DNS, error) {
	a.t.Helper()
	atlas, err := OpenAtlas(AtlasConfig{Sources: locate.Sources{Places: america(a.t)}})
	if err != nil {
		a.t.Fatal(err)
	}
	a.log.Reset()
	d, err := NewDNS(DNSConfig{
		TCP: []net.Listener{idle{}}, Atlas: atlas, Keep: a.keep, Keys: keys, Unsigned: unsigned, Log: slog.New(slog.NewTextHandler(&a.log, nil)),
	})
	if err == nil {
		d.SetMap(&landfall.Map{Network: "app", Domain: "app.test", Serial: 1, Zones: []landfall.Zone{{Name: "second.test"}}})
	}
	return d, err
}

// lacks fails unless a name server that is started answers all zones but these.
func (a *alone) lacks(keys keyring.Dir, want ...string) {
	a.t.Helper()
	d, err := a.start(keys)
	if err != nil {
		a.t.Fatal(err)
	}
	if got := d.unsigned(); !slices.Equal(got, want) {
		a.t.Errorf("does not answer for %q, want %q", got, want)
	}
	if told := strings.Contains(a.log.String(), "not answering for it"); told != (len(want) > 0) {
		a.t.Errorf("lacking %q, the log says %s", want, a.log.String())
	}
}

// A zone that was signed once is not answered without its keys, whatever became
// of them: until they are back, or until it is unsigned.
func TestWhatWasSignedIsNeverUnsignedByAccident(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	a := &alone{t: t, keep: root}
	a.lacks("")
	keys := keyring.Dir(t.TempDir())
	for _, name := range []string{"app.test", "second.test"} {
		if _, err := keys.Begin(name, keyring.DefaultPolicy(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	a.lacks(keys)
	a.lacks("", "app.test", "second.test")
	a.lacks(keyring.Dir(t.TempDir()), "app.test", "second.test")

	lost := t.TempDir()
	files, err := filepath.Glob(filepath.Join(string(keys), "*second.test*"))
	if err != nil || len(files) != 6 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Rename(f, filepath.Join(lost, filepath.Base(f))); err != nil {
			t.Fatal(err)
		}
	}
	a.lacks(keys, "second.test")
	if d, err := a.start(keys); err != nil || len(d.Lacking(&landfall.Map{Domain: "app.test"})) > 0 {
		t.Errorf("a zone that is not served is missed: %v", err)
	}
	if d, err := a.start(keys, "second.test"); err != nil || len(d.unsigned()) > 0 {
		t.Errorf("said to be unsigned, and withheld: %v", err)
	}
	a.lacks(keys)
	if _, err := a.start(keys, "app.test"); err == nil || !strings.Contains(err.Error(), "landfall dns keys remove") {
		t.Errorf("a zone that has keys is unsigned: %v", err)
	}
	a.lacks("", "app.test")

	var p promises
	if err := p.open(root, nil); err != nil {
		t.Fatal(err)
	}
	apex, err := zone.ParseName("app.test")
	if err != nil {
		t.Fatal(err)
	}
	b := bundle.Bundle{End: time.Now()}
	b.Zone = apex
	if lacked, err := p.settle([]bundle.Bundle{b}, time.Now()); err != nil || len(lacked) > 0 {
		t.Errorf("%q, %v", lacked, err)
	}
	a.lacks("")
}

func TestAFileOfSignedZonesThatIsDamagedIsNotGuessedAt(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.WriteFile(filepath.Join(dir, promisesFile), []byte(`{"zones":["app..test"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var p promises
	if err := p.open(root, nil); err == nil || !strings.Contains(err.Error(), promisesFile) {
		t.Errorf("%v", err)
	}
}

func TestSignedZonesOutliveKills(t *testing.T) {
	var all []bundle.Bundle
	keeptest.Kill(t, func(dir *os.Root, state int) error {
		p := promises{dir: dir, zones: map[string]bool{}}
		for i := range state {
			var b bundle.Bundle
			b.Zone = zone.Name(fmt.Sprintf("\x05z%04d\x04test\x00", i))
			all = append(all[:i], b)
		}
		_, err := p.settle(all, time.Now())
		return err
	}, func(dir *os.Root, said int) {
		var p promises
		if err := p.open(dir, nil); err != nil || len(p.zones) < said {
			t.Errorf("%d zones were kept, and %d are there: %v", said, len(p.zones), err)
		}
	})
}

func FuzzParsePromises(f *testing.F) {
	for _, seed := range []string{`{"zones":["app.test","xn--bcher-kva.example"]}`, `{}`, `{"zones":["a\\.b\\010.test"]}`, `{"zones":["A.test."]} x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		zones, err := parsePromises(text)
		if err != nil {
			return
		}
		written, err := json.Marshal(promised{slices.Sorted(maps.Keys(zones))})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parsePromises(written); err != nil || !maps.Equal(again, zones) {
			t.Errorf("%s reads as %v, and not as %v: %v", written, again, zones, err)
		}
	})
}
