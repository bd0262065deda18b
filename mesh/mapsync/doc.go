// Package mapsync is the map's journey: from the hand that changes it at the
// home region to every node of the network.
//
// In go changes, as functions of the newest map (Control.Change), and, at a
// node, a way to dial its peers; out come verified maps, each newer than the
// one before (Config.Apply). On the way a map is one Signed document: the
// exact bytes that were signed, passed on unchanged by whoever has them.
//
//	Control.Change -> Store -> Server  ~~ long poll ~~>  Client -> Apply
//	                                                      |    \-> disk
//	                                                      +-> Server -> peers
//
// Nobody on the way is trusted: a Client takes a map only if the network's
// key signed it, if it is of this network, free of faults, and newer than
// what it has. It asks the home region and, always, one peer as well, so that
// a single reachable node that knows more is enough; and it starts from its
// own disk when there is nobody to ask.
//
// The package does not know what carries its connections, and it does not
// decide what a map should say. Why things are as they are: DESIGN.md.
package mapsync
