package roll

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// Role is what a key is for.
type Role string

// The roles.
const (
	KSK Role = "ksk" // signs the keys of the zone; the parent zone points at it
	ZSK Role = "zsk" // signs all else
)

// ID tells the keys of a State apart. It is never given twice.
type ID int

// Key is one key of a zone, and when it does what. Times that are not known yet
// are zero.
type Key struct {
	ID     ID     `json:"id"`
	Role   Role   `json:"role"`
	Public []byte `json:"public,omitempty"` // RDATA of its DNSKEY record; empty until it is made

	Publish time.Time `json:"publish"`         // in the DNSKEY set from then
	Sign    time.Time `json:"sign,omitzero"`   // a ZSK: signs the zone from then, until the next does
	Ask     time.Time `json:"ask,omitzero"`    // a KSK: CDS asks the parent zone for it from then, until for the next
	Seen    time.Time `json:"seen,omitzero"`   // a KSK: when its DS was seen at all servers of the parent zone
	Remove  time.Time `json:"remove,omitzero"` // no longer in the DNSKEY set from then
}

// Policy is how long things take. All are positive.
type Policy struct {
	KeyTTL      time.Duration `json:"key_ttl"`     // of the DNSKEY, CDS and CDNSKEY sets
	ZoneTTL     time.Duration `json:"zone_ttl"`    // the longest of any other set of the zone
	ParentTTL   time.Duration `json:"parent_ttl"`  // of the DS set, until one was seen
	ParentLag   time.Duration `json:"parent_lag"`  // from the first server of the parent zone to its last
	Propagation time.Duration `json:"propagation"` // Carried: until every name server has what was made
	// ZSKLife is how long a ZSK signs before the next is made; 0: until
	// somebody asks for it.
	ZSKLife time.Duration `json:"zsk_life"`
	// Ahead is for how long signatures of KSKs are made.
	Ahead time.Duration `json:"ahead"`
	// Carried says that nobody sees whether name servers have what was made:
	// it is taken that they do after Propagation.
	Carried bool `json:"carried,omitempty"`
}

// State is all that is to be known of the keys of a zone. It is a value: what
// changes it returns another.
type State struct {
	Zone   string `json:"zone"`
	Policy Policy `json:"policy"`
	Last   ID     `json:"last"` // given
	Keys   []Key  `json:"keys"` // by ID

	DSTTL time.Duration `json:"ds_ttl,omitzero"` // as it was seen last
	Leave time.Time     `json:"leave,omitzero"`  // CDS asks the parent zone for no DS from then
	Gone  time.Time     `json:"gone,omitzero"`   // when no server of the parent zone showed one
	End   time.Time     `json:"end,omitzero"`    // the zone is unsigned from then
}

// Begin is the state of a zone that is to be signed from now on.
func Begin(zone string, p Policy, now time.Time) State {
	s := State{Zone: zone, Policy: p}
	s.add(Key{Role: KSK, Publish: now})
	s.add(Key{Role: ZSK, Publish: now, Sign: now})
	return s
}

func (s *State) add(k Key) {
	s.Last++
	k.ID = s.Last
	s.Keys = append(s.Keys, k)
}

func (s State) clone() State {
	s.Keys = slices.Clone(s.Keys)
	return s
}

// Equal reports whether two states are the same.
func (s State) Equal(o State) bool {
	keys := slices.EqualFunc(s.Keys, o.Keys, func(a, b Key) bool {
		return bytes.Equal(a.Public, b.Public) && a.ID == b.ID && a.Role == b.Role && a.Publish.Equal(b.Publish) &&
			a.Sign.Equal(b.Sign) && a.Ask.Equal(b.Ask) && a.Seen.Equal(b.Seen) && a.Remove.Equal(b.Remove)
	})
	return keys && s.Zone == o.Zone && s.Policy == o.Policy && s.Last == o.Last && s.DSTTL == o.DSTTL &&
		s.Leave.Equal(o.Leave) && s.Gone.Equal(o.Gone) && s.End.Equal(o.End)
}

// Key finds a key.
func (s State) Key(id ID) (Key, bool) {
	i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return Key{}, false
	}
	return s.Keys[i], true
}

// Made gives a key its public half.
func (s State) Made(id ID, public []byte) State {
	s = s.clone()
	for i := range s.Keys {
		if s.Keys[i].ID == id {
			s.Keys[i].Public = public
		}
	}
	return s
}

// View is what a name server shows at a time.
type View struct {
	Signed  bool
	Shown   []ID // in the DNSKEY set, by ID; the KSKs among them sign it
	Signing ID   // signs all other sets
	Asked   ID   // whom CDS asks for; 0: there is none
	Delete  bool // CDS asks for no DS at all
}

// Equal reports whether two views are the same.
func (v View) Equal(o View) bool {
	return v.Signed == o.Signed && slices.Equal(v.Shown, o.Shown) && v.Signing == o.Signing && v.Asked == o.Asked && v.Delete == o.Delete
}

// At is what name servers that know this state show at a time.
func (s State) At(t time.Time) View {
	if begun(s.End, t) {
		return View{}
	}
	v := View{Delete: begun(s.Leave, t)}
	var signing, asked time.Time
	for _, k := range s.Keys {
		if begun(k.Publish, t) && !begun(k.Remove, t) {
			v.Shown = append(v.Shown, k.ID)
		}
		if begun(k.Sign, t) && !k.Sign.Before(signing) {
			v.Signing, signing = k.ID, k.Sign
		}
		if begun(k.Ask, t) && !k.Ask.Before(asked) && !v.Delete {
			v.Asked, asked = k.ID, k.Ask
		}
	}
	v.Signed = v.Signing != 0
	return v
}

// begun reports whether a time is known and not later than now.
func begun(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// Changes are the times after one, in order, at which views change.
func (s State) Changes(after time.Time) (out []time.Time) {
	all := []time.Time{s.Leave, s.End}
	for _, k := range s.Keys {
		all = append(all, k.Publish, k.Sign, k.Ask, k.Remove)
	}
	for _, t := range all {
		if !t.IsZero() && t.After(after) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// having are the keys of a role, by when they take it up; those for which that
// is not known yet come last.
func (s State) having(r Role) (out []*Key) {
	for i := range s.Keys {
		if s.Keys[i].Role == r {
			out = append(out, &s.Keys[i])
		}
	}
	slices.SortStableFunc(out, func(a, b *Key) int {
		x, y := a.duty(), b.duty()
		if x.IsZero() != y.IsZero() {
			return cmp.Or(boolOrder(x.IsZero()), -1)
		}
		return x.Compare(y)
	})
	return out
}

func boolOrder(last bool) int {
	if last {
		return 1
	}
	return 0
}

// duty is when a key does what its role is for.
func (k *Key) duty() time.Time {
	if k.Role == ZSK {
		return k.Sign
	}
	return k.Ask
}
