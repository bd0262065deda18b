// Package route decides which service a request or a stream is for and where
// on the mesh it goes.
//
// A Map goes in, and a host name as a client wrote it; a Service comes out,
// with the targets that can answer for it, best first. A host that no service
// of the kind and port asked for has comes out as not found, never as
// somebody else.
//
// The package is pure: it opens no connection, knows nothing of which target
// is up, and never looks at the clock.
package route
