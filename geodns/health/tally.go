package health

import (
	"cmp"
	"maps"

	"landfall"
)

// Down is a verdict: the nodes that are down.
type Down map[landfall.NodeID]bool

// Tally counts the votes of all vantage points, by the node that cast them, as
// the vantage point self does. A node is down when more than half of its voters
// say so, and up when more than half say that. No vote at all leaves it as it
// was before.
//
//   - In a tie self believes what it sees, so that of two vantage points no
//     lying one can keep the other from naming, or sparing, an edge. If self
//     has no vote, a tie too leaves the node as it was.
//   - A vantage point that sees none of several others is cut off from them,
//     or they are all down: from there the two look alike, so that it has no
//     vote. When nobody has one, nothing changes.
//   - A node's vote on itself counts where nobody else votes on it: that it
//     reaches itself says little about those who reach it from elsewhere.
func Tally(self landfall.NodeID, votes map[landfall.NodeID]Votes, before Down) Down {
	balance := map[landfall.NodeID]int{}
	voted := map[landfall.NodeID]bool{} // by others
	for voter, view := range votes {
		for id, v := range view {
			if id != voter && v != Unsure && !view.isolated(voter) {
				balance[id] += cmp.Compare(v, Unsure) // whatever the number: it came from outside
				voted[id] = true
			}
		}
	}
	for id, n := range balance {
		if own := votes[self]; n == 0 && id != self && !own.isolated(self) {
			balance[id] = cmp.Compare(own[id], Unsure)
		}
	}
	for voter, view := range votes {
		if !voted[voter] && !view.isolated(voter) {
			balance[voter] = cmp.Compare(view[voter], Unsure)
		}
	}
	after := maps.Clone(before)
	if after == nil {
		after = Down{}
	}
	for id, n := range balance {
		switch {
		case n > 0:
			delete(after, id)
		case n < 0:
			after[id] = true
		}
	}
	return after
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
