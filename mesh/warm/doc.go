// Package warm keeps connections ready, so that a stream begins without a
// handshake and at the speed that the path is known to have.
//
// A function that opens streams goes in, and which services of which nodes
// are worth it; Pool.Open gives streams to them, and to all others as well.
// On the accepting side Door stands between a front and the services.
//
// Every stream of the mesh begins with a preamble, whether it was ready or
// not:
//
//	opener                                 accepting side
//	  | -- 1c, N (4 bytes) ------------------> |   warm me; any number of times
//	  | <------ M <= N (4 bytes), M zeros ---- |   learns the path; thrown away
//	  |                  ...                   |
//	  | -- 0c, the service's bytes ----------> |   go: a service gets the stream
//	  | <--------- 00, the service's bytes --- |   taken
//
// c is the class of the stream, in the lower four bits. "Go" travels together
// with the first bytes, so nothing waits for it, and a service never sees a
// stream before it, so spares do not meet its timeouts. "Taken" is what tells
// a spare that was closed over there, just as it was chosen, from a service
// that broke: what was sent on the former is sent once more on a new
// connection. (Where a machine fails within a round trip of having taken a
// stream, "taken" can be lost: then a service may have seen the first bytes,
// and died of it, before another sees them again.)
//
// Padding costs traffic that nobody asked for, so there is little of it: it is
// asked for only where something was sent since the last of it and the round
// trip is long, for one spare after the other; it is behind all that people
// wait for, and the accepting side gives it to one peer after the other, and
// none in doubt (M is 0 then).
//
// Numbers are big-endian. The package does not choose services and knows no
// addresses; nor does it know what streams carry.
package warm
