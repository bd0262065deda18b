// Package budget makes a map of answers small: disjoint prefixes go in, each
// with its clients' weight, the answer that is best for them and those that
// would do, and a share of all weight that may be told another answer than the
// best; the smallest map comes out that stays within that share.
//
// Fewer prefixes are fewer answers that a resolver has to ask for and to keep
// (RFC 7871, 7.3.1). No client is told what would not do for him, whatever the
// budget; every address has exactly one answer; the same input gives the same
// map everywhere.
//
// The prefixes are the leaves of a binary tree, and a map is a cut through it.
// For a price of error, the best cut is found from the leaves up:
//
//	cost(node) = min(1 + price · error(node), cost(left) + cost(right))
//
// where error(node) is the weight that is told another answer than its best
// if the whole node is told one. Raising the price gives maps of more prefixes
// and less error, each of them the smallest one of its error. The price is
// searched whose map just fits the budget; what is left over is spent on
// whatever else still fits, the cheapest first.
//
// The package does not know what an answer is nor what would do for whom.
package budget
