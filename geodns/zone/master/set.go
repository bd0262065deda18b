package master

import (
	"fmt"
	"strings"
	"time"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// set is what records that belong together have in common (RFC 2181, 5).
type set struct {
	name   zone.Name
	rrtype uint16
}

// seen is what there is of a set.
type seen struct {
	ttl   time.Duration
	first Place
	data  map[string]Place
}

// fits tells of a record that is there already, and of one whose TTL is not
// that of its set, and reports whether it was neither.
func (r *reader) fits(at Place, of set, ttl time.Duration, wire []byte) bool {
	s := r.sets[of]
	if s == nil {
		r.sets[of] = &seen{ttl, at, map[string]Place{string(wire): at}}
		return true
	}
	if first, twice := s.data[string(wire)]; twice {
		r.fault(at, "leave one of the two out", "the record is there twice, first at %s", r.where(at, first))
		return false
	}
	s.data[string(wire)] = at
	if ttl != s.ttl {
		r.fault(at, "give all records of a name and type one TTL (RFC 2181, 5.2)", "%s %s has the TTL %d here, and %d at %s",
			of.name, dns.Type(of.rrtype), ttl/time.Second, s.ttl/time.Second, r.where(at, s.first))
		return false
	}
	return true
}

// where says where a place is to somebody who looks at another.
func (r *reader) where(from, to Place) string {
	line := 1 + strings.Count(r.texts[to.File][:to.From], "\n")
	if from.File == to.File {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", to.File, line)
}
