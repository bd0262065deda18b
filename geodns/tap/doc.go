// Package tap tells operators what is asked: copies of queries and of their
// answers go in, as threads give them while they answer, and come out as lines
// of JSON in a file and as dnstap (https://dnstap.info) on a socket.
//
//	handle.go  a thread's own ring: who answers never waits
//	tap.go     rings -> both outlets
//	line.go    query and answer -> a line; file.go: lines -> a file
//	dnstap.go  query and answer -> frames; stream.go: frames -> a socket
//
// It tells one of so many queries, and leaves out, counted, what comes faster
// than it can be written. It changes no answer, and keeps nothing.
package tap
