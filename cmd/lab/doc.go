// Package lab makes servers out of network namespaces of one Linux machine,
// with an internet between them, for tests and measurements of the real
// binary.
//
// In goes a Config: places, the links between them, and hosts with their
// addresses, NAT and firewalls. Out comes a Lab whose hosts run programs,
// hold files of their own and make connections:
//
//	fra1 ---- router ---- nat ---- nyc1
//	            |  '----- sin1
//	          parent      each a thread in a namespace of its own
//
// On hosts it starts what the world around a network consists of: a parent
// zone (Knot), users' resolvers (unbound), a certificate authority (Pebble),
// a browser (Chromium), and a database that says where the hosts are.
//
// Namespaces have no names: a thread of this process holds each of them, and
// programs die with the thread that started them. So two labs never meet, and
// one whose process was killed leaves nothing behind but its directory. It
// takes root and the Debian packages iproute2 and nftables; each service asks
// for its own. The lab asserts nothing and knows nothing of Landfall.
package lab
