package health

import (
	"maps"

	"landfall"
)

// Down is a verdict: the nodes that are down.
type Down map[landfall.NodeID]bool

// Tally counts the votes of all vantage points, by the node that cast them. A
// node is down when more than half of its voters say so, and up when more than
// half say that; a tie, or no vote at all, leaves it as it was before.
//
//   - A vantage point that sees none of the others up is cut off from them, or
//     they are all down: from there the two look alike, so that it has no vote.
//     When nobody has one, nothing changes.
//   - A node's vote on itself counts where nobody else votes on it: that it
//     reaches itself says little about those who reach it from elsewhere.
func Tally(votes map[landfall.NodeID]Votes, before Down) Down {
	balance := map[landfall.NodeID]int{} // votes for up less votes for down
	voted := map[landfall.NodeID]bool{}  // by others
	for voter, view := range votes {
		for id, up := range view {
			if id != voter && !isolated(voter, view) {
				balance[id] += weight(up)
				voted[id] = true
			}
		}
	}
	for voter, view := range votes {
		if up, ok := view[voter]; ok && !voted[voter] && !isolated(voter, view) {
			balance[voter] = weight(up)
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

func weight(up bool) int {
	if up {
		return 1
	}
	return -1
}

// isolated reports whether a vantage point votes on others and sees none of
// them up. With nobody else to see it is not isolated but alone.
func isolated(voter landfall.NodeID, view Votes) bool {
	others := 0
	for id, up := range view {
		if id == voter {
			continue
		}
		if up {
			return false
		}
		others++
	}
	return others > 0
}
