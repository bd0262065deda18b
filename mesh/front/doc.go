// Package front is what the fronts of the mesh have in common. A front turns
// packets between mesh addresses into streams and back:
//
//	landfall.Stream            Streams   (opened, accepted, ended)
//	      |                       |
//	     Flow: one stream over an Endpoint      front
//	      |
//	   Endpoint: one TCP connection             netstack, tun
//	      |
//	   packets                 Packets   (to and from package wg)
//
// Endpoints go in, which never block and wake when something has happened; flows come out, which keep the rules of landfall.Stream and
// landfall.Sink for all fronts alike, on a few goroutines for all of them.
// The package does not know whose TCP it is, nor who is at the other end.
package front
