// Package class says which mark a datagram bears for the class of what is in
// it, and of what class it is by a mark that somebody else has set.
//
// A landfall.Class goes in and a codepoint of differentiated services (DSCP,
// RFC 2474) comes out, or the other way round. The package is pure; it queues
// nothing, and leaves congestion marks (ECN) to others.
package class
