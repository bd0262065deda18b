package geodns

import (
	"sync/atomic"

	"landfall/geodns/zone"
)

// maxCounted is how many names are counted each for itself. Metrics of more
// would be of use to nobody, and of harm to who keeps them.
const maxCounted = 1024

// otherName is what all other names are counted as.
const otherName = "other"

// asked counts the answers of a core by name; those of all other names in the
// first place.
type asked [1 + maxCounted]atomic.Uint64

// ledger is which names are counted, and where. A name keeps its place for
// good, so that figures only grow.
type ledger struct {
	names  []zone.Name
	places map[zone.Name]uint16
}

// enter gives the names of zones places while there are any: the apex and those
// that edges answer for first. It returns the places of all that have one, for
// others to read.
func (l *ledger) enter(zones *zone.Zones) map[zone.Name]uint16 {
	next := make(map[zone.Name]uint16, len(l.places))
	for i, n := range l.names {
		next[n] = uint16(1 + i)
	}
	for _, steered := range []bool{true, false} {
		for _, z := range zones.All() {
			for _, n := range z.Names() {
				if node := z.Find(n).Node; steered == (n == z.Apex || node != nil && node.Steered != nil) {
					l.add(next, n)
				}
			}
		}
	}
	l.places = next
	return next
}

func (l *ledger) add(places map[zone.Name]uint16, n zone.Name) {
	if _, known := places[n]; !known && len(l.names) < maxCounted {
		l.names = append(l.names, n)
		places[n] = uint16(len(l.names))
	}
}

// byName are the answers of all cores, by name.
func (c *counters) byName(names []zone.Name) map[string]uint64 {
	out := map[string]uint64{}
	for i, name := range append([]string{otherName}, presented(names)...) {
		n := uint64(0)
		for core := range c.asked {
			n += c.asked[core][i].Load()
		}
		out[name] = n
	}
	return out
}

func presented(names []zone.Name) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, n.String())
	}
	return out
}
