// Package world runs a whole network in one process: several nodes, each with
// its own keys, sockets and state directory, and an ocean between them. A
// description of the network goes in; name servers, edges, a mesh and an
// origin that a browser on this machine can use come out. `landfall dev` is
// this package with a printer; tests use it to see all parts at once.
//
// Every hop is the real protocol on a real socket of the loopback interface.
// Only the distance is made: mesh/wan holds datagrams back between nodes, and
// models the links of the tour's clients.
package world
