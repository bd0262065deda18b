package roll

import (
	"slices"
	"time"
)

// Facts are what was seen at a time.
type Facts struct {
	// Current says that each name server of the zone was asked, and showed just
	// what View has for the time.
	Current bool
	Parent  Parent
	ZoneTTL time.Duration // the longest in the zone; 0: not known
}

// Parent is what the servers of the parent zone showed.
type Parent struct {
	Known bool          // all were asked, and answered
	All   []ID          // of keys that each has a DS record for
	None  bool          // no server has any DS record
	TTL   time.Duration // of the DS set, the longest
}

// Step is something that Next decided or noticed.
type Step struct {
	What string // "publish", "sign", "ask", "seen", "remove", "forget", "gone" or "end"
	Key  ID     // 0: it is about the zone
	At   time.Time
}

// Next is the state after all that can be decided at a time, and when there is
// more to decide even if no fact changes; zero: never.
func (s State) Next(now time.Time, f Facts) (next State, steps []Step, when time.Time) {
	m := machine{State: s.clone(), now: now, facts: f}
	if f.ZoneTTL > m.Policy.ZoneTTL {
		m.Policy.ZoneTTL = f.ZoneTTL
	}
	m.observe()
	for {
		before := len(m.steps)
		m.age()
		m.sign()
		m.retire()
		if len(m.steps) == before {
			break
		}
	}
	m.ask()
	m.replace()
	m.end()
	m.forget()
	return m.State, m.steps, m.when()
}

// machine is one look at a State.
type machine struct {
	State
	now   time.Time
	facts Facts
	steps []Step
}

func (m *machine) did(what string, id ID, at time.Time) {
	m.steps = append(m.steps, Step{what, id, at})
}

// settled is since when resolvers get nothing from before a time, from any name
// server; false if that is not known.
func (m *machine) settled(t time.Time) (since time.Time, ok bool) {
	if m.Policy.Carried {
		return t.Add(m.Policy.Propagation), !t.IsZero()
	}
	return m.now, m.facts.Current && begun(t, m.now) && t.Before(m.now)
}

// told reports whether all name servers have told the parent zone something that
// they do from a time on: until then one could have it take back what it did.
func (m *machine) told(t time.Time) bool {
	return begun(t, m.now) && (m.Policy.Carried || m.facts.Current)
}

// left is when the zone's name servers ask for no DS, if they do not have to be
// seen to.
func (s State) left() time.Time {
	if s.Policy.Carried && !s.Leave.IsZero() {
		return s.Leave.Add(s.Policy.Propagation)
	}
	return s.Leave
}

// observe notes what the parent zone has done.
func (m *machine) observe() {
	p := m.facts.Parent
	if !p.Known {
		return
	}
	for i := range m.Keys {
		if k := &m.Keys[i]; m.told(k.Ask) && k.Seen.IsZero() && slices.Contains(p.All, k.ID) {
			k.Seen = m.now
			m.did("seen", k.ID, m.now)
		}
	}
	if p.None && m.told(m.left()) && m.Gone.IsZero() {
		m.Gone = m.now
		m.did("gone", 0, m.now)
	}
}

// dsTTL is for how long resolvers may keep a DS set from now on.
func (m *machine) dsTTL() time.Duration {
	ttl := m.DSTTL
	if ttl == 0 {
		ttl = m.Policy.ParentTTL
	}
	ttl = max(ttl, m.facts.Parent.TTL)
	if m.facts.Parent.TTL > 0 {
		m.DSTTL = m.facts.Parent.TTL
	}
	return ttl + m.Policy.ParentLag
}

// age makes the ZSKs that are to follow those there are.
func (m *machine) age() {
	zsks := m.having(ZSK)
	last := zsks[len(zsks)-1]
	if m.Policy.ZSKLife <= 0 || last.Sign.IsZero() || !m.Leave.IsZero() || !m.End.IsZero() {
		return
	}
	due, horizon, publish := last.Sign.Add(m.Policy.ZSKLife), m.now, m.now
	if m.Policy.Carried {
		horizon = m.now.Add(m.Policy.Ahead)
		if early := due.Add(-m.Policy.Propagation - m.Policy.KeyTTL); early.After(publish) {
			publish = early
		}
	}
	if !due.After(horizon) {
		m.add(Key{Role: ZSK, Publish: publish})
		m.did("publish", m.Last, publish)
	}
}

// sign has ZSKs sign that every resolver can have got.
func (m *machine) sign() {
	for _, k := range m.having(ZSK) {
		if since, ok := m.settled(k.Publish); ok && k.Sign.IsZero() {
			k.Sign = since.Add(m.Policy.KeyTTL)
			m.did("sign", k.ID, k.Sign)
		}
	}
}

// retire has ZSKs removed of which no resolver can hold signatures any more.
func (m *machine) retire() {
	zsks := m.having(ZSK)
	for i, k := range zsks[:len(zsks)-1] {
		if since, ok := m.settled(zsks[i+1].Sign); ok && k.Remove.IsZero() {
			k.Remove = since.Add(m.Policy.ZoneTTL)
			m.did("remove", k.ID, k.Remove)
		}
	}
}

// ask has the parent zone asked for KSKs that every resolver can have got. What
// the zone had when it was not signed is to have expired as well.
func (m *machine) ask() {
	ksks := m.having(KSK)
	for i, k := range ksks {
		if since, ok := m.settled(k.Publish); ok && k.Ask.IsZero() {
			wait := m.Policy.KeyTTL
			if i == 0 {
				wait = max(wait, m.Policy.ZoneTTL)
			}
			k.Ask = since.Add(wait)
			m.did("ask", k.ID, k.Ask)
		}
	}
}

// replace has the KSKs removed that the parent zone has a newer one for, when no
// resolver holds the DS record of the old.
func (m *machine) replace() {
	ksks := m.having(KSK)
	last := ksks[len(ksks)-1]
	for _, k := range ksks[:len(ksks)-1] {
		if !last.Seen.IsZero() && k.Remove.IsZero() {
			k.Remove = last.Seen.Add(m.dsTTL())
			m.did("remove", k.ID, k.Remove)
		}
	}
}

// end has the zone unsigned when no resolver holds a DS record.
func (m *machine) end() {
	if !m.Gone.IsZero() && m.End.IsZero() {
		m.End = m.Gone.Add(m.dsTTL())
		m.did("end", 0, m.End)
	}
}

// forget drops keys that no name server shows.
func (m *machine) forget() {
	m.Keys = slices.DeleteFunc(m.Keys, func(k Key) bool {
		since, ok := m.settled(k.Remove)
		gone := ok && !since.After(m.now)
		if gone {
			m.did("forget", k.ID, m.now)
		}
		return gone
	})
}

// when is the next time at which something is to be decided or to happen.
func (m *machine) when() (first time.Time) {
	all := m.Changes(m.now)
	zsks := m.having(ZSK)
	if last := zsks[len(zsks)-1]; m.Policy.ZSKLife > 0 && !last.Sign.IsZero() && m.Leave.IsZero() && m.End.IsZero() {
		due := last.Sign.Add(m.Policy.ZSKLife)
		if m.Policy.Carried {
			due = due.Add(-m.Policy.Ahead)
		}
		all = append(all, due)
	}
	for _, t := range all {
		if t.After(m.now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
