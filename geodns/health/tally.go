package health

import (
	"cmp"
	"maps"

	"landfall"
)

// Down is a verdict: the nodes that are down.
type Down map[landfall.NodeID]bool

// Tally counts the votes of vantage points, by the node that cast them, as the
// vantage point self does. vantages are all that there are; votes holds what is
// known and fresh of theirs. What no sufficient number says leaves a node as it
// was before.
//
// A vantage point that sees none of several others is cut off from them, or
// they are all down: from there the two look alike, and so its votes are not
// counted, not by itself either. With that a name server that sees nobody
// changes nothing.
//
// With three vantage points or more, more than half must agree:
//
//   - A node is down if more than half of the vantage points beside its own say
//     so: two of three, also where one of the three is the node's own and has
//     died with it; three of five.
//   - It is up if more than half say so, counting its own good word for itself:
//     of two others who disagree, the one that reaches it has it on its side.
//   - Who is not heard has no vote but still counts as one of those to convince,
//     so that no few on one side of a cut decide; except for those whose node
//     is down already, for a network that has lost one server after the other
//     must be able to tell that it loses the next.
//
// With two, half is one, and no rule makes a majority of it. There each vote
// counts, in a tie self believes what it sees, and a node's good word for
// itself wards off the vote of the other. So neither of the two can keep the
// other from naming, or sparing, an edge by lying; see DESIGN.md for the case
// that is lost. One alone decides alone.
func Tally(self landfall.NodeID, vantages []landfall.NodeID, votes map[landfall.NodeID]Votes, before Down) Down {
	c := count{self, vantages, maps.Clone(votes), before}
	subjects := map[landfall.NodeID]bool{}
	for voter, view := range votes {
		if view.isolated(voter) {
			c.votes[voter] = nil // it is there, and says nothing
			continue
		}
		for id := range view {
			subjects[id] = true
		}
	}
	decide := c.quorum
	if len(vantages) <= 2 {
		decide = c.pair
	}
	after := maps.Clone(before)
	if after == nil {
		after = Down{}
	}
	for id := range subjects {
		switch decide(id) {
		case Good:
			delete(after, id)
		case Bad:
			after[id] = true
		}
	}
	return after
}

// count is one tally.
type count struct {
	self     landfall.NodeID
	vantages []landfall.NodeID
	votes    map[landfall.NodeID]Votes
	before   Down
}

// quorum is what more than half say of a node.
func (c count) quorum(id landfall.NodeID) Vote {
	others, bad, good, own := 0, 0, 0, 0
	for _, v := range c.vantages {
		view, here := c.votes[v]
		word := view[id]
		switch {
		case v == id:
			own = max(cmp.Compare(word, Unsure), 0) // many a server cannot reach itself by its public address
			continue
		case !here && c.before[v]:
			continue
		case word > Unsure:
			good++
		case word < Unsure:
			bad++
		}
		others++
	}
	switch {
	case 2*bad > others:
		return Bad
	case 2*(good+own) > others+own:
		return Good
	}
	return Unsure
}

// pair is what two vantage points say of a node, or one.
func (c count) pair(id landfall.NodeID) Vote {
	balance, voted := 0, false
	for _, v := range c.vantages {
		if word := c.votes[v][id]; v != id && word != Unsure {
			balance += cmp.Compare(word, Unsure) // whatever the number: it came from outside
			voted = true
		}
	}
	// That it reaches itself says little about who reaches it from elsewhere,
	// and many a server cannot reach itself by its public address.
	if own := c.votes[id][id]; !voted || balance < 0 && own > Unsure {
		balance += cmp.Compare(own, Unsure)
	}
	if sight := c.votes[c.self][id]; balance == 0 && (id != c.self || sight > Unsure) {
		balance = cmp.Compare(sight, Unsure)
	}
	return Vote(cmp.Compare(balance, 0))
}

// isolated reports whether a vantage point watches several others and sees
// none of them. With one other it is not: that one may well be down, and who
// can ask us reaches us at least.
func (view Votes) isolated(voter landfall.NodeID) bool {
	others := 0
	for id, v := range view {
		if id == voter {
			continue
		}
		if v > Unsure {
			return false
		}
		others++
	}
	return others > 1
}
