// Package tunnel carries the streams of services of kind tcp from an edge to
// the home region.
//
// At the edge a connection whose TLS has ended goes in, and what it is
// introduced with: a Header of the PROXY protocol, version 2. Open sends that
// ahead on a stream of the mesh, and Splice lets the bytes of both cross
// over. At home a Front accepts the streams, connects each to the upstream of
// the service that its header names, tells it who the client is, and splices
// as well.
//
//	client -> edge: Open, Splice -> mesh -> Front: ReadHeader, dial, Splice -> upstream
//	edge   <- one byte: Accepted, or why not <- Front
//
// A half that ends in order is ended on the other side; a connection that
// breaks breaks its counterpart, so that nobody takes half a stream for a
// whole one.
//
// The package ends no TLS, chooses no service by itself, reads nothing of
// what is carried, and knows nothing of the mesh beyond net.Conn.
package tunnel
