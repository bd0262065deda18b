package landfall

import (
	"strconv"
	"strings"
	"time"
)

// Zone is what a master file says of one zone (RFC 1035, 5). A map may hold
// some beside its domain's own, and one that adds to that.
type Zone struct {
	Name string `json:"name"` // the top of the zone; lower case, no final dot
	// Records are all of them, names in the data written in full. Without an
	// SOA record, or without NS records at the top, the zone has those of the
	// network's name servers.
	Records []Record `json:"records,omitempty"`
}

// Serial is the serial of the zone's SOA record, to which that of the map is
// added when it is served; 0 if it has none.
func (z Zone) Serial() uint32 {
	for _, r := range z.Records {
		if words := strings.Fields(r.Data); r.Type == "SOA" && r.Name == z.Name && len(words) == 7 {
			n, _ := strconv.ParseUint(words[2], 10, 32)
			return uint32(n)
		}
	}
	return 0
}

// Record is a DNS record that is not steered.
type Record struct {
	Name string        `json:"name"`         // fully qualified, lower case, no final dot
	Type string        `json:"type"`         // such as "MX"
	Data string        `json:"data"`         // in master file form (RFC 1035, 5.1)
	TTL  time.Duration `json:"ttl,omitzero"` // 0 means an hour; less than a second, that nobody keeps it
}

// key tells records of a zone apart.
func (r Record) key() string { return r.Name + " " + r.Type + " " + r.Data }
