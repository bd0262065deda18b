// Package health finds out which nodes are up: results of probes and the
// votes of other vantage points go in, the set of nodes that are down comes
// out, whenever it changes.
//
// Watch, Tally and Penalty decide, purely: a Watch turns one vantage point's
// probes into votes, Tally turns the votes of all vantage points into a verdict,
// and a Penalty holds those down that fall too often. The Prober acts: it begins
// a probe of every node as often as the map says, whether or not the last has
// ended, hands the verdict on, and keeps what it knows for a restart. What a
// probe does, how votes travel between nodes, and who answers whom by the
// verdict is its owner's business.
//
// Why things are as they are: DESIGN.md.
package health
