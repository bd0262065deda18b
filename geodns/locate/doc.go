// Package locate tells where an address is: a geographic database in the
// MaxMind DB format and the operators' overrides go in, a Table comes out that
// gives for every address its landfall.Location and the widest prefix around
// the address for which that Location is the same.
//
// The database is verified and flattened when it is loaded and never asked
// again: a look-up is a binary search in sorted arrays without pointers, and
// the file may be replaced meanwhile. Because the prefix is exact, it is sound
// as the scope of an answer (RFC 7871, 7.2.1).
//
// The package does not fetch databases, watch files or know about edges.
package locate
