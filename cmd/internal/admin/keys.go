package admin

import "time"

// ZoneKeys is how the keys of a signed zone are, where they are kept.
type ZoneKeys struct {
	Zone  string    `json:"zone"`
	KSK   []uint16  `json:"ksk,omitempty"`  // tags of those in the DNSKEY set
	ZSK   []uint16  `json:"zsk,omitempty"`  // the first is the one that signs
	Until time.Time `json:"until,omitzero"` // when the last signature ends that a KSK has made ahead
	What  string    `json:"what,omitempty"` // what comes next
	Next  time.Time `json:"next,omitzero"`  // and when, if that does not depend on others
	Notes []string  `json:"notes,omitempty"`
}
