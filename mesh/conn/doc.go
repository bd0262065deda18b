// Package conn makes a net.Conn of a landfall.Stream.
//
// A function that opens a stream for a sink goes in, a connection with
// deadlines comes out: what arrives waits in a small buffer until it is read,
// and the peer is held back while that is full. The package starts no
// goroutine; it knows nothing of what carries the stream.
package conn
