// Package doctor finds out what keeps a node from serving well: a network map
// and what a node knows of itself and its peers go in, findings come out, each
// with its cure.
//
//	delegation.go alias.go caa.go  what resolvers are told about our names (parent.go, ask.go ask them)
//	reach.go                       what one node can try against another; reached.go judges it
//	clock.go mesh.go mtu.go        what lies between the nodes
//	disk.go machine.go state.go    the machine itself
//	geography.go                   where it thinks that users are
//	upstreams.go certificates.go authority.go  what the network stands on
//
// Each check is a thin probe and a pure judgement. A doctor changes nothing:
// it asks, listens and measures; what it writes, to time the disk, it removes.
// Nor does it choose whom to try: all addresses and ports are the map's.
package doctor
