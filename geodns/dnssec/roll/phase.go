package roll

import "time"

// Phase is where a key is in its life.
type Phase string

// The phases.
const (
	Planned   Phase = "planned"   // in no DNSKEY set yet
	Published Phase = "published" // in the DNSKEY set, and does nothing else yet
	Asking    Phase = "asking"    // a KSK: the parent zone is asked for its DS
	Active    Phase = "active"    // does what it is for
	Retired   Phase = "retired"   // another does
	Removed   Phase = "removed"   // in no DNSKEY set any more
)

// Phase is where a key is at a time.
func (s State) Phase(k Key, now time.Time) Phase {
	newer := false
	for _, o := range s.having(k.Role) {
		newer = newer || o.ID != k.ID && begun(o.duty(), now) && o.duty().After(k.duty()) && (k.Role == ZSK || begun(o.Seen, now))
	}
	switch {
	case begun(k.Remove, now) || begun(s.End, now):
		return Removed
	case !begun(k.Publish, now):
		return Planned
	case newer && !k.duty().IsZero():
		return Retired
	case k.Role == ZSK && begun(k.Sign, now), k.Role == KSK && begun(k.Seen, now):
		return Active
	case k.Role == KSK && begun(k.Ask, now):
		return Asking
	default:
		return Published
	}
}

// Coming is what a key waits for, for people, and when that will be; zero: it
// depends on others.
func (s State) Coming(k Key, now time.Time) (what string, at time.Time) {
	switch p := s.Phase(k, now); {
	case p == Removed:
		return "forgotten when no name server shows it", time.Time{}
	case p == Planned:
		return "published", k.Publish
	case !k.Remove.IsZero():
		return "removed", k.Remove
	case p == Published && k.duty().IsZero():
		return "all name servers show it", time.Time{}
	case p == Published && k.Role == ZSK:
		return "signs", k.Sign
	case p == Published:
		return "the parent zone is asked for its DS", k.Ask
	case p == Asking:
		return "all servers of the parent zone show its DS", time.Time{}
	case p == Retired:
		return "all name servers sign with the new key", time.Time{}
	case k.Role == ZSK && s.Policy.ZSKLife > 0 && s.Leave.IsZero():
		return "the next one is made", k.Sign.Add(s.Policy.ZSKLife)
	}
	return "", time.Time{}
}
