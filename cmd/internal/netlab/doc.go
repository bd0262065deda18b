// Package netlab makes servers out of network namespaces of one Linux
// machine, with an internet between them.
//
// In goes a Config: places, the links between them, and hosts with their
// addresses, NAT and firewalls. Out comes a Lab whose hosts run programs,
// hold files of their own and make connections:
//
//	fra1 ---- router ---- nat ---- nyc1
//	            |  '----- sin1
//	          world     each a thread in a namespace of its own
//
// Namespaces have no names: a thread of this process holds each of them, and
// programs die with the thread that started them. So two labs never meet, and
// one whose process was killed leaves nothing behind but its directory. It
// takes root and the Debian package iproute2, and nftables where there is NAT
// or a firewall, or a host is unplugged. The lab asserts nothing and knows
// nothing of Landfall.
package netlab
