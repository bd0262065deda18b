package health

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"landfall"
)

// staleAfter is how long the votes of another vantage point count: it is
// asked twice a second, and may be late, or lost, some times.
const staleAfter = 4 * time.Second

// settling is for how long after the first map a node that comes with a newer
// one is none that has just joined: we are, and read old maps.
const settling = 2 * time.Second

// vantage is what a vantage point knows and makes of it: maps, results of
// probes and votes go in, the verdict comes out. The time is handed in.
type vantage struct {
	self landfall.NodeID

	watch    Watch
	nodes    []landfall.Node   // that are watched
	vantages []landfall.NodeID // whose votes count
	begun    time.Time         // when the first map came; zero: there is none yet
	recalled bool              // what was kept is still good
	heard    map[landfall.NodeID]heard
	met      map[landfall.NodeID]bool // vantage points that were heard, be it long ago

	votes     Down // the verdict by votes alone
	down      Down // the verdict
	since     map[landfall.NodeID]time.Time
	penalties map[landfall.NodeID]Penalty
	errors    map[landfall.NodeID]string // of our last probes, where they failed
	falls     uint64
}

// heard are another vantage point's votes, and when they came.
type heard struct {
	votes Votes
	when  time.Time
}

func newVantage(self landfall.NodeID) *vantage {
	return &vantage{
		self: self, watch: Watch{Self: self}, heard: map[landfall.NodeID]heard{}, met: map[landfall.NodeID]bool{}, votes: Down{}, down: Down{},
		since: map[landfall.NodeID]time.Time{}, penalties: map[landfall.NodeID]Penalty{}, errors: map[landfall.NodeID]string{},
	}
}

// setMap makes the edges of m those that are watched, and its name servers
// those whose votes count; kept is used with the first map only.
func (v *vantage) setMap(now time.Time, m *landfall.Map, kept *record) {
	v.nodes = slices.Collect(m.Having(landfall.RoleEdge))
	v.vantages = []landfall.NodeID{v.self}
	if n, ok := m.Node(v.self); ok && n.Joined() && n.Has(landfall.RoleDNS) {
		v.vantages = ids(slices.Collect(m.Having(landfall.RoleDNS)))
	}
	h := m.Health
	v.watch.Rules = Rules{Rise: h.Rise, Fall: h.Fall, Gap: gap(h)}
	joined := v.watch.Expect(ids(v.nodes))
	switch {
	case v.begun.IsZero():
		v.begun = now
		v.recall(kept)
	case now.Sub(v.begun) >= settling:
		v.watch.Shun(joined)
	}
	v.forget()
	v.judge(now)
}

// gap is long enough for two probes to be answered late, and well below the
// silence that takes a node down.
func gap(h landfall.Health) time.Duration {
	timeout, interval := cmp.Or(h.Timeout, landfall.DefaultProbeTimeout), cmp.Or(h.Interval, landfall.DefaultProbeInterval)
	return max(timeout*2/3, interval*3/2)
}

// forget drops what was known of nodes that are no longer in the map.
func (v *vantage) forget() {
	gone := func(id landfall.NodeID) bool { return !v.watch.watches(id) }
	maps.DeleteFunc(v.votes, func(id landfall.NodeID, _ bool) bool { return gone(id) })
	maps.DeleteFunc(v.since, func(id landfall.NodeID, _ time.Time) bool { return gone(id) })
	maps.DeleteFunc(v.penalties, func(id landfall.NodeID, _ Penalty) bool { return gone(id) })
	maps.DeleteFunc(v.errors, func(id landfall.NodeID, _ string) bool { return gone(id) })
	maps.DeleteFunc(v.heard, func(id landfall.NodeID, _ heard) bool { return !slices.Contains(v.vantages, id) })
}

// hear takes the votes of another vantage point.
func (v *vantage) hear(now time.Time, from landfall.NodeID, votes Votes) {
	if from == v.self || !slices.Contains(v.vantages, from) {
		return
	}
	v.heard[from] = heard{maps.Clone(votes), now}
	v.met[from] = true
	v.judge(now)
}

// observe takes the result of a probe; why it failed is for people.
func (v *vantage) observe(id landfall.NodeID, r Result, why error) (changed bool) {
	changed = v.watch.Observe(id, r)
	delete(v.errors, id)
	if why != nil && v.watch.watches(id) {
		v.errors[id] = why.Error()
	}
	if news := v.watch.Doubt(r.Ended); news || changed {
		v.judge(r.Ended)
	}
	return changed
}

// tick lets votes become stale, and nodes that were held down go.
func (v *vantage) tick(now time.Time) {
	maps.DeleteFunc(v.heard, func(_ landfall.NodeID, h heard) bool { return now.Sub(h.when) > staleAfter })
	v.judge(now)
}

// cast are all votes there are.
func (v *vantage) cast(now time.Time) map[landfall.NodeID]Votes {
	votes := map[landfall.NodeID]Votes{v.self: v.watch.Votes(now)}
	for from, h := range v.heard {
		votes[from] = h.votes
	}
	return votes
}

// judge finds the verdict.
func (v *vantage) judge(now time.Time) {
	votes := v.cast(now)
	counted := v.count(votes, v.votes)
	shy := v.watch.Shy()
	for id := range counted {
		if !v.votes[id] && !slices.Contains(shy, id) { // who has not stood yet does not fall
			v.penalties[id] = v.penalties[id].Fallen(now)
			v.falls++
		}
	}
	v.votes = counted
	down := maps.Clone(counted)
	if len(shy) > 0 {
		for _, id := range shy {
			down[id] = true
		}
		down = v.count(votes, down)
		for _, id := range shy {
			if !down[id] {
				v.watch.Welcome(id)
			}
		}
	}
	down = v.dampen(now, down)
	for _, n := range v.nodes {
		if down[n.ID] != v.down[n.ID] {
			v.since[n.ID] = now
		}
	}
	v.down = down
}

// count is Tally's verdict on those that are watched.
func (v *vantage) count(votes map[landfall.NodeID]Votes, before Down) Down {
	down := Tally(v.self, v.vantages, votes, before)
	maps.DeleteFunc(down, func(id landfall.NodeID, _ bool) bool { return !v.watch.watches(id) })
	return down
}

// dampen adds those that are held down, unless nobody would be left to name:
// then it lets those go that are up.
func (v *vantage) dampen(now time.Time, down Down) Down {
	var held []landfall.NodeID
	left := false
	for _, n := range v.nodes {
		switch {
		case down[n.ID]:
		case v.penalties[n.ID].Holds(now):
			held = append(held, n.ID)
		case n.EffectiveState() == landfall.Active:
			left = true
		}
	}
	for _, id := range held {
		if left {
			down[id] = true
		} else {
			v.penalties[id] = v.penalties[id].Spared()
		}
	}
	return down
}

// known reports whether the verdict rests on something: on what was kept, or
// on a first result of every node and, where one speaks against a node, on what
// the other vantage points have to say to that.
func (v *vantage) known() bool {
	if v.begun.IsZero() || !v.recalled && !v.watch.Met() {
		return false
	}
	heardAll := !slices.ContainsFunc(v.vantages, func(id landfall.NodeID) bool { return id != v.self && !v.met[id] })
	return v.recalled || heardAll || len(v.watch.Shy()) == 0
}

// Reason is why a node is up or down, as one vantage point has it.
type Reason struct {
	Down     bool                     `json:"down"`
	Since    time.Time                `json:"since,omitzero"`    // when that changed; zero: it has not since the start
	Votes    map[landfall.NodeID]Vote `json:"votes,omitempty"`   // of the vantage points that are heard
	Vantages int                      `json:"vantages"`          // how many there are
	Isolated bool                     `json:"isolated,omitzero"` // ours does not count: it sees none of several others
	Shy      bool                     `json:"shy,omitzero"`      // it has yet to come up for the first time
	Falls    float64                  `json:"falls,omitzero"`    // of late, each counting half after two minutes
	Held     time.Time                `json:"held,omitzero"`     // until when it is down for falling too often; zero: it is not
	Error    string                   `json:"error,omitempty"`   // of our last probe, if it failed
}

// why tells the reason for a node; the zero Reason where it is not watched.
func (v *vantage) why(now time.Time, id landfall.NodeID) Reason {
	if !v.watch.watches(id) {
		return Reason{}
	}
	r := Reason{
		Down: v.down[id], Since: v.since[id], Votes: map[landfall.NodeID]Vote{}, Vantages: len(v.vantages),
		Isolated: v.watch.Votes(now).isolated(v.self), Shy: slices.Contains(v.watch.Shy(), id),
		Falls: v.penalties[id].At(now), Error: v.errors[id],
	}
	for from, view := range v.cast(now) {
		if word, ok := view[id]; ok {
			r.Votes[from] = Vote(cmp.Compare(word, Unsure))
		}
	}
	if p := v.penalties[id]; p.Holds(now) {
		r.Held = p.Until()
	}
	return r
}

func ids(nodes []landfall.Node) (out []landfall.NodeID) {
	for _, n := range nodes {
		out = append(out, n.ID)
	}
	return out
}
