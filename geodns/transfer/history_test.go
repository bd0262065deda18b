package transfer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"landfall/geodns/zone"
)

func TestWholeZoneIsListed(t *testing.T) {
	z := zoneOf(t, 7, "mail A 198.51.100.9", "*.wild TXT any", "sub NS ns.sub", "ns.sub A 198.51.100.53")
	var h *History
	h = h.Next(z, told)
	want := []string{
		"landfall.test.\t3600\tIN\tSOA\tfra1.ns.landfall.test. hostmaster.landfall.test. 7 3600 600 604800 30",
		"landfall.test.\t3600\tIN\tNS\tfra1.ns.landfall.test.",
		"chat.landfall.test.\t30\tIN\tA\t192.0.2.1",
		"mail.landfall.test.\t3600\tIN\tA\t198.51.100.9",
		"fra1.ns.landfall.test.\t3600\tIN\tA\t192.0.2.1",
		"sub.landfall.test.\t3600\tIN\tNS\tns.sub.landfall.test.",
		"ns.sub.landfall.test.\t3600\tIN\tA\t198.51.100.53",
		"*.wild.landfall.test.\t3600\tIN\tTXT\t\"any\"",
		"landfall.test.\t3600\tIN\tSOA\tfra1.ns.landfall.test. hostmaster.landfall.test. 7 3600 600 604800 30",
	}
	if got := lines(t, h.Whole()); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestSerialMovesOnlyWithTheZone(t *testing.T) {
	var h *History
	plain := zoneOf(t, 7, "mail A 198.51.100.9")
	serial := h.Renumber(plain, 7, told, noon)
	if want := uint32(noon.Unix() + ahead); serial != want {
		t.Fatalf("the first serial is %d, want %d", serial, want)
	}
	h = h.Next(zoneOf(t, serial, "mail A 198.51.100.9"), told)
	later := noon.Add(time.Hour)
	// Another map, in which nothing of the zone is another.
	if got := h.Renumber(zoneOf(t, 8, "mail A 198.51.100.9"), 8, told, later); got != serial {
		t.Errorf("serial %d for the same zone, want %d", got, serial)
	}
	// An edge died: nobody in particular hears of another.
	other := func(_ zone.Name, n *zone.Node) []zone.Set {
		return []zone.Set{{Type: 1, TTL: n.Steered.TTL, Data: [][]byte{{192, 0, 2, 2}}}}
	}
	if got := h.Renumber(zoneOf(t, 8, "mail A 198.51.100.9"), 8, other, later); got != uint32(later.Unix()+ahead) {
		t.Errorf("serial %d for other edges", got)
	}
	// A change in the same second, and a clock that went back.
	for _, now := range []time.Time{noon, noon.Add(-time.Hour)} {
		if got := h.Renumber(zoneOf(t, 9, "mail A 198.51.100.10"), 9, told, now); got != serial+1 {
			t.Errorf("serial %d at %v, want %d", got, now, serial+1)
		}
	}
	// A zone whose own serial is far ahead stays ahead of it.
	if got := h.Renumber(zoneOf(t, 9, "mail A 198.51.100.10"), serial+1<<30, told, noon); got != serial+1<<30+1 {
		t.Errorf("serial %d beside a source that is ahead", got)
	}
}

func TestSerialsGoInACircle(t *testing.T) {
	for _, tt := range []struct {
		a, b uint32
		want bool
	}{{2, 1, true}, {1, 2, false}, {1, 1, false}, {0, 1<<32 - 1, true}, {1<<32 - 1, 0, false}, {1 << 30, 1<<32 - 1, true}} {
		if got := Newer(tt.a, tt.b); got != tt.want {
			t.Errorf("%d newer than %d: %v", tt.a, tt.b, got)
		}
	}
	if got := next(time.Unix(100-ahead, 0), 1<<32-1); got != 100 {
		t.Errorf("after the largest serial comes %d, want the time", got)
	}
	if got := next(time.Unix(100-ahead, 0), 1<<31-1); got != 1<<31 {
		t.Errorf("got %d", got)
	}
}

// Zones change at random; copies that were last brought up to date long or
// short ago all become the same as the zone.
func TestCopiesFollowByDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var copies []*secondary
	var h *History
	whole, parts := 0, 0
	for step := range 80 {
		var records []string
		for i := range 60 {
			if r.IntN(10) > 0 {
				records = append(records, fmt.Sprintf("n%d A 198.51.100.%d", i, max(0, i-r.IntN(30))))
			}
		}
		if step%7 == 3 { // nearly the same as before
			records = records[:len(records)-1]
		}
		serial := h.Renumber(zoneOf(t, 1, records...), 1, told, noon.Add(time.Duration(step)*time.Second))
		h = h.Next(zoneOf(t, serial, records...), told)
		if h.Serial() != serial {
			t.Fatalf("serial %d, want %d", h.Serial(), serial)
		}
		copies = append(copies, &secondary{})
		for _, c := range copies {
			if r.IntN(4) > 0 && c.serial != 0 {
				continue
			}
			all, full := h.Since(c.serial)
			if full {
				whole++
			} else {
				parts++
			}
			if err := c.take(slices.Collect(all)); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			slices.SortFunc(c.records, Record.compare)
			if c.serial != serial || !slices.EqualFunc(c.records, h.records, Record.equal) {
				t.Fatalf("step %d: the copy is not the zone", step)
			}
		}
		if len(h.changes) > maxChanges || h.kept > len(h.records)+maxChanges {
			t.Fatalf("%d changes with %d records kept of a zone of %d", len(h.changes), h.kept, len(h.records))
		}
	}
	if whole < 30 || parts < 30 {
		t.Errorf("%d whole and %d in parts: one of them is hardly tested", whole, parts)
	}
}

func TestNothingNewIsOneRecord(t *testing.T) {
	var h *History
	h = h.Next(zoneOf(t, 70), told)
	for _, serial := range []uint32{70, 71} { // RFC 1995, 2
		all, whole := h.Since(serial)
		if got := lines(t, all); len(got) != 1 || whole {
			t.Errorf("since %d: %q", serial, got)
		}
	}
	if all, whole := h.Since(69); !whole || len(lines(t, all)) != 5 {
		t.Errorf("since 69: %q", lines(t, all))
	}
	if h.Next(zoneOf(t, 70, "late A 192.0.2.9"), told) != h {
		t.Error("the zone changed under one serial")
	}
}

func TestSerialCountsOnFromDates(t *testing.T) {
	// A zone that another server numbered by its dates, as late as it may be.
	for year := 2026; year < 2090; year++ {
		dated := uint32(year*1_000_000 + 1231_99)
		now := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if serial := next(now); !Newer(serial, dated) {
			t.Errorf("in %d, serial %d does not come after %d", year, serial, dated)
		}
	}
}
