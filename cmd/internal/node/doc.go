// Package node wires the parts of one node together, starts them in order and
// stops them in reverse: mesh, map, origin, certificates, edge, name server.
// A state directory, sockets that are already bound and a map to begin with
// go in; a node that serves its roles comes out.
//
// It takes no decision of the parts and reads no flag or environment.
package node
