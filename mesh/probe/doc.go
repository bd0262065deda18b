// Package probe is the wire form of what nodes ask each other to learn which
// path works: small authenticated datagrams beside WireGuard's, on the same
// socket.
//
// Keys come from the X25519 secret that two nodes share, one pair for each
// direction, so nobody else can make a probe and none can be turned back on
// its sender. A message goes in and 36 bytes come out, and the reverse; a
// Window refuses what was heard before. The package opens no socket and asks
// no clock: when to probe is package mesh's business, what the answers mean
// is package path's.
//
//	 0        1         2      3       4     12      20      36
//	+--------+---------+------+-------+------+-------+-------+
//	| 'L'    | version | kind | flags | id   | stamp | MAC   |
//	+--------+---------+------+-------+------+-------+-------+
//
// WireGuard's own messages begin with a byte from 1 to 4.
package probe
