package transfer

import (
	"iter"
	"slices"
	"time"

	"landfall/geodns/zone"
)

// maxChanges bounds the differences that a History keeps.
const maxChanges = 64

// History is a zone as it is now, and the differences that led to it. It is a
// snapshot: Next makes the one after it. The nil History is of a zone of which
// no copy was ever told.
type History struct {
	soa     Record
	proof   []Record // the signatures over soa
	records []Record // all others
	changes []change // the oldest first
	kept    int      // records in changes
}

// change is one step from a serial to the next.
type change struct {
	from, to       Record // SOA records
	deleted, added []Record
}

// Serial is that of the zone now; 0 for the nil History.
func (h *History) Serial() uint32 {
	if h == nil {
		return 0
	}
	return serialOf(h.soa)
}

// Len is the number of records, and of differences kept.
func (h *History) Len() (records, changes int) {
	if h == nil {
		return 0, 0
	}
	return len(h.records) + len(h.proof) + 1, len(h.changes)
}

// Renumber tells the serial that a zone has to have: the one it had, unless
// anything in it has changed. Source is the serial that it would have by itself.
func (h *History) Renumber(z *zone.Zone, source uint32, steered Steered, now time.Time) uint32 {
	if h == nil {
		return next(now, source)
	}
	soa, _, all := records(z, steered)
	if unnumbered(soa) == unnumbered(h.soa) && slices.EqualFunc(all, h.records, Record.equal) {
		return h.Serial()
	}
	return next(now, source, h.Serial())
}

func (r Record) equal(o Record) bool { return r.compare(o) == 0 }

// Next is the History with the zone as it is now, which has been given the
// serial that Renumber told. It is h itself if that is no other.
func (h *History) Next(z *zone.Zone, steered Steered) *History {
	out := &History{}
	out.soa, out.proof, out.records = records(z, steered)
	if h == nil {
		return out
	}
	if !Newer(out.Serial(), h.Serial()) {
		return h
	}
	c := change{from: h.soa, to: out.soa}
	c.deleted, c.added = differ(h.records, out.records)
	c.deleted, c.added = append(c.deleted, h.proof...), append(c.added, out.proof...)
	out.changes, out.kept = append(slices.Clip(h.changes), c), h.kept+c.size()
	// Differences longer than the zone are of no use (RFC 1995, 5).
	for len(out.changes) > maxChanges || out.kept > len(out.records)+maxChanges {
		out.kept -= out.changes[0].size()
		out.changes = out.changes[1:]
	}
	return out
}

func (c change) size() int { return len(c.deleted) + len(c.added) + 2 }

// SOA is the zone's SOA record.
func (h *History) SOA() Record { return h.soa }

// Whole is a full transfer (RFC 5936, 2.2).
func (h *History) Whole() iter.Seq[Record] {
	return concat([]Record{h.soa}, h.proof, h.records, []Record{h.soa})
}

// Since is what brings a copy with the given serial up to date (RFC 1995, 4):
// only the SOA record where there is nothing to tell, else the differences, and
// the whole zone, with whole true, where they are not known any more.
func (h *History) Since(serial uint32) (all iter.Seq[Record], whole bool) {
	if !Newer(h.Serial(), serial) {
		return concat([]Record{h.soa}), false
	}
	i := slices.IndexFunc(h.changes, func(c change) bool { return serialOf(c.from) == serial })
	if i < 0 {
		return h.Whole(), true
	}
	lists := [][]Record{{h.soa}}
	for _, c := range h.changes[i:] {
		lists = append(lists, []Record{c.from}, c.deleted, []Record{c.to}, c.added)
	}
	return concat(append(lists, []Record{h.soa})...), false
}

func concat(lists ...[]Record) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, l := range lists {
			for _, r := range l {
				if !yield(r) {
					return
				}
			}
		}
	}
}
