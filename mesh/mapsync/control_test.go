package mapsync

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"landfall"
)

func begun(t *testing.T, key SigningKey) (*Control, *DirStore) {
	t.Helper()
	s := openStore(t, t.TempDir(), key)
	c := newControl(t, s, key)
	if _, err := c.Begin(t.Context(), testMap(0, 2)); err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestBeginMakesTheFirstMapOnce(t *testing.T) {
	key := NewSigningKey()
	c, s := begun(t, key)
	other := testMap(0, 1)
	other.Network = "other"
	m, err := c.Begin(t.Context(), other)
	if err != nil || m.Network != "landfall" || m.Serial != 1 || m.Issued.IsZero() {
		t.Errorf("second begin: %+v, %v", m, err)
	}
	if d, _ := s.Get(t.Context()); d.Serial != 1 {
		t.Errorf("serial %d", d.Serial)
	}
}

// Strangers at the door of home make it ask for the newest map: that may not
// cost a verification each time.
func TestNewestMapIsReadOnce(t *testing.T) {
	key := NewSigningKey()
	c, s := begun(t, key)
	newest := func() *landfall.Map {
		t.Helper()
		d, m, err := c.Newest(t.Context())
		if err != nil || m.Serial != d.Serial {
			t.Fatalf("document %d, map %v, %v", d.Serial, m, err)
		}
		return m
	}
	first := newest()
	if newest() != first {
		t.Error("the same map was read twice")
	}
	rename := func(m *landfall.Map) error { m.Regions[1].Title = "Manhattan"; return nil }
	if _, err := newControl(t, s, key).Change(t.Context(), rename); err != nil {
		t.Fatal(err)
	}
	if m := newest(); m.Serial != 2 || m.Regions[1].Title != "Manhattan" || first.Regions[1].Title != "New York" {
		t.Errorf("after a change by another hand: serial %d, %q, before %q", m.Serial, m.Regions[1].Title, first.Regions[1].Title)
	}
	m, err := c.Change(t.Context(), func(*landfall.Map) error { return nil })
	if err != nil || m == newest() {
		t.Errorf("a change that changes nothing gives away what all are given (%v)", err)
	}
	if c, err := NewControl(ControlConfig{Store: s, Key: NewSigningKey()}); err != nil {
		t.Error(err)
	} else if _, _, err := c.Newest(t.Context()); err == nil {
		t.Error("a document of another key was taken")
	}
}

func TestChangesByManyHandsAllCount(t *testing.T) {
	key := NewSigningKey()
	c, s := begun(t, key)
	const hands, each = 8, 5
	var work sync.WaitGroup
	for h := range hands {
		work.Go(func() {
			for i := range each {
				_, err := c.Change(t.Context(), func(m *landfall.Map) error {
					m.Records = append(m.Records, landfall.Record{
						Name: "r" + strconv.Itoa(h) + "-" + strconv.Itoa(i) + ".landfall.test", Type: "TXT", Data: `"x"`})
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	d, _ := s.Get(t.Context())
	m, err := Verify(d.Bytes, key.Public())
	if err != nil || m.Serial != 1+hands*each || len(m.Records) != hands*each {
		t.Errorf("serial %d, %d records, %v", m.Serial, len(m.Records), err)
	}
}

func TestChangeThatFailsLeavesNoTrace(t *testing.T) {
	key := NewSigningKey()
	c, s := begun(t, key)
	mine := errors.New("no")
	if _, err := c.Change(t.Context(), func(m *landfall.Map) error { m.Domain = "x"; return mine }); !errors.Is(err, mine) {
		t.Errorf("own error: %v", err)
	}
	_, err := c.Change(t.Context(), func(m *landfall.Map) error { m.Domain = ""; m.Regions[1].Home = true; return nil })
	if f, ok := errors.AsType[*Faulty](err); !ok || len(f.Faults) < 2 {
		t.Errorf("faulty: %v", err)
	}
	if d, _ := s.Get(t.Context()); d.Serial != 1 {
		t.Errorf("serial %d", d.Serial)
	}
}

func TestChangeOfNothingMakesNoMap(t *testing.T) {
	key := NewSigningKey()
	c, s := begun(t, key)
	m, err := c.Change(t.Context(), func(*landfall.Map) error { return nil })
	if d, _ := s.Get(t.Context()); err != nil || m.Serial != 1 || d.Serial != 1 {
		t.Errorf("map serial %d, store %d, %v", m.Serial, d.Serial, err)
	}
	// The order of the origins is who is asked first: moving nodes counts.
	m, err = c.Change(t.Context(), func(m *landfall.Map) error { slices.Reverse(m.Nodes); return nil })
	if err != nil || m.Serial != 2 {
		t.Errorf("reordered: serial %d, %v", m.Serial, err)
	}
}

func TestChangeBeforeTheFirstMap(t *testing.T) {
	c := newControl(t, newMemory(), NewSigningKey())
	if _, err := c.Change(t.Context(), retitle("x")); err == nil || !strings.Contains(err.Error(), "no map yet") {
		t.Errorf("change: %v", err)
	}
}

func TestNodesNeverVanishInOneStep(t *testing.T) {
	const absent landfall.State = "absent"
	ok := map[[2]landfall.State]bool{
		{"", "active"}: true, {"active", ""}: true, {"active", "active"}: true,
		{"active", "draining"}: true, {"", "draining"}: true,
		{"draining", "draining"}: true, {"draining", "active"}: true, {"draining", ""}: true, {"draining", "gone"}: true,
		{"gone", "gone"}: true, {"gone", absent}: true, {"", ""}: true,
		{"invited", "invited"}: true, {"invited", "active"}: true, {"invited", ""}: true, {"invited", absent}: true,
	}
	states := []landfall.State{"", "active", "draining", "gone", "invited", absent}
	for _, from := range states[:5] {
		for _, to := range states {
			old, next := testMap(1, 2), testMap(2, 2)
			old.Nodes[2].State = from
			if to == absent {
				next.Nodes = next.Nodes[:2]
			} else {
				next.Nodes[2].State = to
			}
			faults := Lawful(old, next)
			if lawful := len(faults) == 0; lawful != ok[[2]landfall.State{from, to}] {
				t.Errorf("%q -> %q: %v", from, to, faults)
			}
		}
	}
}

func TestNetworkKeepsItsName(t *testing.T) {
	next := testMap(2, 1)
	next.Network = "other"
	if f := Lawful(testMap(1, 1), next); len(f) != 1 || f[0].Path != "name" {
		t.Errorf("%v", f)
	}
}

// Secondaries follow the serial of a zone, which is that of its file and the
// map's.
func TestSerialsOfZonesNeverGoBack(t *testing.T) {
	zone := func(serial string) []landfall.Zone {
		z := landfall.Zone{Name: "example.org", Records: []landfall.Record{{Name: "www.example.org", Type: "A", Data: "192.0.2.1"}}}
		if serial != "" {
			z.Records = append(z.Records, landfall.Record{Name: "example.org", Type: "SOA", Data: "ns. h. " + serial + " 1 2 3 4"})
		}
		return []landfall.Zone{z}
	}
	for _, tt := range []struct {
		old, next string
		lawful    bool
	}{
		{"1", "1", true}, {"1", "2", true}, {"2", "1", false}, {"", "1", true}, {"1", "", false},
		{"4294967295", "0", true}, {"0", "4294967295", false}, {"2026112200", "3", false},
	} {
		old, next := testMap(1, 1), testMap(2, 1)
		old.Zones, next.Zones = zone(tt.old), zone(tt.next)
		if f := Lawful(old, next); (len(f) == 0) != tt.lawful || len(f) == 1 && f[0].Path != "zone[0]" {
			t.Errorf("%q after %q: %v", tt.next, tt.old, f)
		}
	}
	old, next := testMap(1, 1), testMap(2, 1)
	old.Zones = zone("5")
	if f := Lawful(old, next); len(f) != 0 {
		t.Errorf("a zone that leaves: %v", f)
	}
}

func TestControlNeedsItsParts(t *testing.T) {
	for _, cfg := range []ControlConfig{{}, {Store: newMemory()}, {Key: NewSigningKey()}} {
		if _, err := NewControl(cfg); err == nil {
			t.Errorf("%+v was enough", cfg)
		}
	}
}
