package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"time"

	"landfall"
	"landfall/geodns/keep"
)

// What is kept across restarts, and for how long it is worth more than
// beginning anew.
const (
	keptFile    = "health.json"
	keptVersion = 1
	keptFor     = 10 * time.Minute
	maxKept     = 4 << 20
)

// record is what a vantage point knew, as the file says it.
type record struct {
	Version int                            `json:"version"`
	When    time.Time                      `json:"when"`
	Nodes   map[landfall.NodeID]remembered `json:"nodes"`
}

// remembered is what it knew of one node.
type remembered struct {
	Vote    Vote      `json:"vote"`             // ours
	Votes   Votes     `json:"votes,omitempty"`  // of the others, for who reads the file
	Down    bool      `json:"down"`             // by all votes
	Shy     bool      `json:"shy,omitzero"`     // has yet to come up for the first time
	Since   time.Time `json:"since,omitzero"`   // of the verdict
	Penalty Penalty   `json:"penalty,omitzero"` // for falls
}

// remember is what is to be kept.
func (v *vantage) remember(now time.Time) record {
	r := record{Version: keptVersion, When: now.UTC().Round(0), Nodes: map[landfall.NodeID]remembered{}}
	for _, n := range v.nodes {
		t := v.watch.nodes[n.ID]
		known := remembered{Vote: t.stand(), Down: v.votes[n.ID], Shy: t.shy, Since: v.since[n.ID], Penalty: v.penalties[n.ID]}
		for from, h := range v.heard {
			if word, ok := h.votes[n.ID]; ok {
				if known.Votes == nil {
					known.Votes = Votes{}
				}
				known.Votes[from] = word
			}
		}
		r.Nodes[n.ID] = known
	}
	return r
}

// recall takes up what was kept. Others' votes are not counted again: the
// verdict that they led to stands until there are new ones.
func (v *vantage) recall(r *record) {
	if r == nil {
		return
	}
	v.recalled = true
	v.watch.seen = r.When
	for id, known := range r.Nodes {
		if !v.watch.watches(id) {
			continue
		}
		v.watch.Recall(id, known.Vote)
		if known.Shy {
			v.watch.Shun([]landfall.NodeID{id})
		}
		if known.Down {
			v.votes[id] = true
		}
		if !known.Since.IsZero() {
			v.since[id] = known.Since
		}
		if known.Penalty != (Penalty{}) {
			v.penalties[id] = known.Penalty
		}
	}
	v.down = v.dampen(r.When, maps.Clone(v.votes))
}

// decode reads a record and refuses what is none, or is too old by now.
func decode(b []byte, now time.Time) (*record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("not a record of health: %w", err)
	}
	if r.Version != keptVersion {
		return nil, fmt.Errorf("version %d, want %d", r.Version, keptVersion)
	}
	if age := now.Sub(r.When); age > keptFor || age < -time.Minute {
		return nil, fmt.Errorf("from %v, which is %w", r.When, errOld)
	}
	for id, n := range r.Nodes {
		if n.Vote < Bad || n.Vote > Good || !n.Penalty.sound() {
			return nil, fmt.Errorf("node %q: vote %d or penalty %+v out of range", id, n.Vote, n.Penalty)
		}
	}
	return &r, nil
}

// errOld is why a record is left alone that nothing is wrong with.
var errOld = errors.New("too long ago, or in the future")

// load reads what was kept in a directory; nil and no error: nothing was.
func load(dir *os.Root, now time.Time) (*record, error) {
	f, err := dir.Open(keptFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keptFile, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKept))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keptFile, err)
	}
	r, err := decode(b, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keptFile, err)
	}
	return r, nil
}

// save writes a record, whole or not at all.
func save(dir *os.Root, r record) error {
	return keep.Write(dir, keptFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(r) })
}
