package transfer

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

const apex = zone.Name("\x08landfall\x04test\x00")

// zoneOf is a zone with one service and the given records, written as
// "name type data".
func zoneOf(t testing.TB, serial uint32, records ...string) *zone.Zone {
	t.Helper()
	m := &landfall.Map{
		Network: "landfall", Domain: "landfall.test", Serial: landfall.Serial(serial),
		Regions: []landfall.Region{{ID: "fra", Home: true}},
		Nodes: []landfall.Node{{
			ID: "fra1", Region: "fra", Roles: []landfall.Role{landfall.RoleEdge, landfall.RoleDNS},
			Advertised: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
		}},
		Services: []landfall.Service{{Host: "chat.landfall.test", Upstream: "chat"}},
	}
	for _, r := range records {
		var rec landfall.Record
		if _, err := fmt.Sscanf(r, "%s %s %s", &rec.Name, &rec.Type, &rec.Data); err != nil {
			t.Fatal(err)
		}
		rec.Name += ".landfall.test"
		m.Records = append(m.Records, rec)
	}
	zones, faults := zone.Build(m, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return zones.Numbered(map[zone.Name]uint32{apex: serial}).Domain()
}

// told is what nobody in particular hears of a steered name.
func told(_ zone.Name, n *zone.Node) []zone.Set {
	return []zone.Set{{Type: dns.TypeA, TTL: n.Steered.TTL, Data: [][]byte{{192, 0, 2, 1}}}}
}

// lines are records as people read them.
func lines(t testing.TB, all iter.Seq[Record]) []string {
	t.Helper()
	var out []string
	for r := range all {
		h := dns.RR_Header{Name: r.Owner.String() + ".", Rrtype: r.Type, Class: dns.ClassINET, Ttl: r.TTL, Rdlength: uint16(len(r.Data))}
		rr, _, err := dns.UnpackRRWithHeader(h, r.Data, 0)
		if err != nil {
			t.Fatalf("%v: %v", h, err)
		}
		out = append(out, rr.String())
	}
	return out
}

// secondary is a copy that understands what it is sent (RFC 1995, 4).
type secondary struct {
	serial  uint32
	records []Record
}

// take takes over a transfer.
func (s *secondary) take(all []Record) error {
	if len(all) == 1 {
		return nil // nothing newer
	}
	first, last := all[0], all[len(all)-1]
	if first.Type != typeSOA || last.Type != typeSOA || serialOf(first) != serialOf(last) {
		return fmt.Errorf("not between two SOA records: %v … %v", first, last)
	}
	if all[1].Type != typeSOA { // the whole zone
		s.serial, s.records = serialOf(first), slices.Clone(all[1:len(all)-1])
		return nil
	}
	rest := all[1 : len(all)-1]
	for len(rest) > 0 {
		if serialOf(rest[0]) != s.serial {
			return fmt.Errorf("differences from %d, but the copy is %d", serialOf(rest[0]), s.serial)
		}
		deleted, more := upTo(rest[1:])
		added, end := upTo(more[1:])
		for _, d := range deleted {
			i := slices.IndexFunc(s.records, d.equal)
			if i < 0 {
				return fmt.Errorf("to be deleted, but not there: %v", d)
			}
			s.records = slices.Delete(s.records, i, i+1)
		}
		s.records = append(s.records, added...)
		s.serial, rest = serialOf(more[0]), end
	}
	if s.serial != serialOf(first) {
		return fmt.Errorf("ends at %d, not at %d", s.serial, serialOf(first))
	}
	return nil
}

// upTo cuts off what comes before the next SOA record.
func upTo(all []Record) (before, rest []Record) {
	i := slices.IndexFunc(all, func(r Record) bool { return r.Type == typeSOA })
	if i < 0 {
		i = len(all)
	}
	return all[:i], all[i:]
}
