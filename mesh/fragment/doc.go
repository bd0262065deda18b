// Package fragment carries a datagram over a path that is too narrow for it:
// one datagram goes in and a few parts come out, and the reverse.
//
//	 0        1         2      6       7       8       10
//	+--------+---------+------+-------+-------+-------+------
//	| 'F'    | version | id   | index | count | total | part
//	+--------+---------+------+-------+-------+-------+------
//
// All parts but the last have the same size, the least that needs no more of
// them: so a header says where its part lies, parts never overlap, and they
// suit the kernel's segmentation. A datagram has MaxSize bytes at most, in
// MaxParts parts.
//
// Parts are not authenticated, and need not be: what comes out of a
// Reassembler is treated like any datagram that came from the network in one
// piece. WireGuard, package probe and package relay each authenticate what
// they take as a whole, so parts of different origin make a datagram that is
// dropped, no more. What a stranger can do is to use up room, and that is
// bounded: a Reassembler has a fixed number of places; strangers share a few
// of them, apart from those of known sources; no source has more than a
// quarter of its kind's; whoever needs a place takes any of him who has most;
// and what is not whole after Timeout is forgotten. Who guesses address, port
// and the id of a datagram under way can spoil that datagram, as he can with
// IP's own fragments (RFC 8900, 3.7); so let ids begin somewhere at random. Who
// knows the addresses of two nodes, and no id, can still send parts in the name
// of one: as many as a source has places, between two parts of a datagram, lose
// it two times in three, and more lose more. Only narrow paths from that node
// suffer from it. An answer never leaves before a datagram was whole and
// genuine: nothing is amplified.
//
// The package asks no clock and sends nothing.
package fragment
