// Package health finds out which nodes are up: results of probes and the
// votes of other vantage points go in, the set of nodes that are down comes
// out, whenever it changes.
//
// Watch and Tally decide, purely: a Watch turns one vantage point's probes
// into votes, Tally turns the votes of all vantage points into a verdict. The
// Prober acts: it begins a probe of every node each half second, whether or not
// the last has ended, and hands the verdict on. What a probe does, and how
// votes travel between nodes, is its owner's business.
package health
