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
//   - A node's good word for itself wards off one vote against it, so that no
//     single lying vantage point takes it down; more it does not do, for that
//     it reaches itself says little about those who reach it from elsewhere.
//     Its bad word counts only where nobody else votes on it: many a server
//     cannot reach itself by its public address.
//   - In a tie self believes what it sees, so that of two vantage points no
//     lying one can keep the other from naming, or sparing, an edge. Where self
//     sees nothing for sure, and where it is itself in question and its own
//     word is bad, a tie leaves the node as it was.
//   - A vantage point that sees none of several others is cut off from them,
//     or they are all down: from there the two look alike. Others do not go by
//     its word, for they see more. It goes by its own where nobody who sees
//     more has one: if it is cut off, those who can ask it at all are on its
//     side of the cut, and reach what it reaches; if the others are down, the
//     whole world asks it, and must not be sent to them. Either is served well
//     by what it sees.
//
// What comes of it for an edge that others accuse, by the number of name
// servers, its own among them:
//
//	2  one accuser makes a tie: its own goes on naming it, the accuser does not
//	3  so does one, whether the third is for it or unsure; two take it down
//	4  two make a tie if the last is for it or unsure; three take it down
//
// An edge without a name server of its own has no word in it: the others
// decide, and where they tie each goes by what it sees.
//
// An edge that dies is down at once wherever that is seen: its last word, which
// counts until it is stale, makes a tie at most, and there sight decides. Where
// several die at once their last words for one another count until then. One
// case is lost, in networks of two: an edge that a firewall hides from all
// others while its name server is heard is still named by that one. The other
// may as well lie, and nobody can tell. A liar is worse than a firewall: it
// would have all users to itself, at will and unnoticed, where `landfall
// doctor` finds the firewall, and a third name server settles either.
func Tally(self landfall.NodeID, votes map[landfall.NodeID]Votes, before Down) Down {
	own := votes[self]
	balance := map[landfall.NodeID]int{} // of those that were voted on
	for voter, view := range votes {
		if !view.isolated(voter) {
			view.count(voter, balance)
		}
	}
	informed := map[landfall.NodeID]bool{} // those on whom somebody votes who sees more than self
	if own.isolated(self) {
		alone := map[landfall.NodeID]int{}
		own.count(self, alone)
		for id, n := range alone {
			if _, informed[id] = balance[id]; !informed[id] {
				balance[id] = n
			}
		}
		_, informed[self] = balance[self]
	}
	for voter, view := range votes {
		n, voted := balance[voter]
		heeded := !view.isolated(voter) || voter == self && !voted
		if word := view[voter]; heeded && (!voted || n < 0 && word > Unsure) {
			balance[voter] += cmp.Compare(word, Unsure)
		}
	}
	after := maps.Clone(before)
	if after == nil {
		after = Down{}
	}
	for id, n := range balance {
		if n == 0 && !informed[id] && (id != self || own[id] > Unsure) {
			n = cmp.Compare(own[id], Unsure)
		}
		switch {
		case n > 0:
			delete(after, id)
		case n < 0:
			after[id] = true
		}
	}
	return after
}

// count adds a vantage point's votes on others.
func (view Votes) count(voter landfall.NodeID, balance map[landfall.NodeID]int) {
	for id, v := range view {
		if id != voter && v != Unsure {
			balance[id] += cmp.Compare(v, Unsure) // whatever the number: it came from outside
		}
	}
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
