// Package prefix says something about every address: prefixes with labels go
// in, a Table comes out that gives for any address its label and the length
// of the widest prefix around it of which the same is true.
//
// That prefix is sound as the scope of an answer and no shorter one is
// (RFC 7871, 7.2.1), by construction. A Table holds runs: where the label
// changes, and to what. The widest prefix of one label around an address is
// the widest that lies within its run, and follows from the address and both
// ends of the run; there are no lengths to keep, nothing to join, and two
// tables are crossed as two sorted lists are merged.
//
//	given  10.0.0.0/8 A, 10.64.0.0/10 B, 11.0.0.0/8 A
//	runs   0.0.0.0 0 | 10.0.0.0 A | 10.64.0.0 B | 10.128.0.0 A | 12.0.0.0 0
//	asked  10.200.0.1: A, /9    11.0.0.1: A, /8    10.0.0.1: A, /10
//
// IPv4 lives inside IPv6 as well: mapped addresses, 6to4 and NAT64; see Fold.
// Tables know that, so that everybody who uses them agrees: such an address
// has the label of the IPv4 address in it, and what is said of these parts of
// IPv6 themselves is not heard. They are not kept a second time and a third.
// Instead each is a run of its own, whatever lies beside it, so that no wider
// prefix reaches in or out, and inside it the prefix is that of IPv4, longer
// by what stands before it. Where all of IPv4 has one label, so have they, and
// join their neighbours as everything does.
//
// The package does not know what labels mean.
package prefix
