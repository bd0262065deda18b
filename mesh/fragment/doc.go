// Package fragment carries a datagram over a path that is too narrow for it:
// one datagram goes in and a few parts come out, and the reverse.
//
//	 0        1         2      6       7       8       10    14
//	+--------+---------+------+-------+-------+-------+-----+------
//	| 'F'    | version | id   | index | count | total | tag | part
//	+--------+---------+------+-------+-------+-------+-----+------
//
// All parts but the last have the same size, the least that needs no more of
// them: so a header says where its part lies, parts never overlap, and they
// suit the kernel's segmentation. A datagram has MaxSize bytes at most, in
// MaxParts parts.
//
// What is in the parts is not authenticated, and need not be: what comes out of
// a Reassembler is treated like any datagram that came from the network in one
// piece. WireGuard, package probe and package relay each authenticate what
// they take as a whole, so parts of different origin make a datagram that is
// dropped, no more. What a stranger can do is to use up room, and that is
// bounded: a Reassembler has a fixed number of places; strangers share a few
// of them, apart from those of peers; no source has more than a quarter of its
// kind's; whoever needs a place takes any of him who has most; and what is not
// whole after Timeout is forgotten.
//
// The tag says who is a stranger: 32 bits of a SipHash-2-4 of the header before
// it, under a key that two nodes share for one direction. Who sends parts in a
// peer's name is taken for one, unless he has recorded parts of that peer's and
// sends them again; he is on the path then, and can do worse. It costs 20 ns
// each, for it leaves out what is in the part: that is authenticated later.
// Strangers' parts are put together all the same, for a peer may send from an
// address that we do not know yet, and whose key to look for is not said. So
// let ids begin somewhere at random. An answer never leaves before a datagram
// was whole and genuine: nothing is amplified.
//
// The package asks no clock and sends nothing.
package fragment
