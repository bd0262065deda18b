// Package conformance holds the name server against the real world: the
// program, built from source, goes in, and what other programs make of it comes
// out, as tests.
//
//	world_test.go    a network, its zones and its clients
//	program_test.go  programs that run while a test does; peers_test.go: other name servers
//	query_test.go    good queries, and ways to spoil them
//	line_test.go     a way to ask without waiting for silence; flaw_test.go: what is wrong with a message
//	differ_test.go   what servers answer alike; differences_test.go: all that they do not, and who is right
//	packet_test.go   what damaged packets do to the server
//	tools_test.go    dig, kdig, delv and ldns-verify-zone
//	resolver_test.go unbound, which validates and caches by client subnet
//	room_test.go     dnsviz, in a network of its own
//	unknown_test.go  the checks of RFC 8906, section 8
//
// It needs the packages that `make deps` installs. It has no code of its own,
// and says nothing about speed.
package conformance
