// Package geodns is an authoritative name server that tells each client the
// edges near to it: queries come in by UDP and TCP, answers go out, each from
// one snapshot of the network map, of health and of the challenges of a
// certificate authority.
//
//	listen.go  sockets: bytes in, bytes out; conns.go: who may keep one open
//	query.go   bytes -> query (RFC 1035, RFC 6891); edns.go: its options (RFC 7871)
//	answer.go  query -> records, by geodns/zone and geodns/steer
//	reply.go   records -> bytes
//
// The part in between, respond, takes bytes and gives bytes; it holds no lock
// and waits for nobody. The package does not find out where addresses are
// (geodns/locate) or who is healthy (geodns/health), and it is no resolver: it
// answers for one zone and refuses the rest.
package geodns
