package dnssec

import (
	"slices"
	"time"

	"landfall/geodns/zone"
)

// Keys are all that a name server needs to sign one zone.
type Keys struct {
	Zone      zone.Name
	Stretches []Stretch // in order of time
	Signing   []Signing // in order of time
}

// Stretch is what the keys of a zone look like for some time: the sets that a
// KSK has signed.
type Stretch struct {
	From time.Time // until the next stretch begins
	// Sets are those of types DNSKEY, CDS and CDNSKEY, with signatures. The
	// last two may be missing (RFC 7344, 4).
	Sets []zone.Set
}

// Signing is a key that signs all other sets, for some time.
type Signing struct {
	From time.Time // until that of the next begins
	Key  Key       // with its private half; its public one is in the DNSKEY sets of the time
}

// Sort brings the keys into order of time, as all functions want them.
func (k *Keys) Sort() {
	slices.SortFunc(k.Stretches, func(a, b Stretch) int { return a.From.Compare(b.From) })
	slices.SortFunc(k.Signing, func(a, b Signing) int { return a.From.Compare(b.From) })
}
