package path

import (
	"fmt"
	"slices"

	"landfall"
)

// Refuse says whether a peer relays nothing for others. No way leads through
// it then.
func (t *Table) Refuse(id landfall.NodeID, refuses bool) {
	by := t.byID[id]
	if by == nil || by.refuses == refuses {
		return
	}
	by.refuses = refuses
	for _, p := range t.peers {
		if c := p.at(Way{Via: id}); refuses && c != nil {
			p.ways = slices.DeleteFunc(p.ways, func(o *candidate) bool { return o == c })
			t.reset(p, min(p.due, 1))
		}
	}
}

// refused are the ways to p that there would be, if the nodes between relayed.
func (t *Table) refused(p *peer, now instant) (list []WayStatus) {
	for _, by := range t.peers {
		if by == p || !by.refuses || by.towards(p, now) == 0 || by.direct(now) == nil || p.at(Way{Via: by.id}) != nil {
			continue
		}
		list = append(list, WayStatus{
			Way: Way{Via: by.id}, Life: Refused, Why: fmt.Sprintf("%s reaches it, but relays nothing", by.id),
		})
	}
	return list
}
