// Package geodns is an authoritative name server that tells each client the
// edges near to it: queries come in by UDP, TCP, TLS and HTTPS, answers go out, each from
// one snapshot of the network map, of health and of the challenges of a
// certificate authority.
//
//	listen.go  sockets: bytes in, bytes out, by geodns/packet; conns.go: who may keep one open
//	core.go    what one thread answers with; book.go: what it has answered before
//	query.go   bytes -> query (RFC 1035, RFC 6891); edns.go: its options (RFC 7871, RFC 7873)
//	guard.go   query -> whether its address is true, and how much it may hear
//	answer.go  query -> records, by geodns/zone and geodns/steer
//	prove.go   what an answer needs to be believed (RFC 4035, RFC 9824); secure.go, online.go: its signatures
//	reply.go   records -> bytes; excuse.go: why there are none (RFC 8914)
//	tcp.go     connections; tls.go, doh.go: encrypted ones (RFC 7858, RFC 8484)
//	names.go   what is counted by name, beside stats.go; observe.go: what operators hear, by geodns/tap
//	part.go    how connections end without a loss
//	copy.go    zones for the name servers of others, by geodns/transfer and geodns/tsig; secondaries.go: what they are to have
//
// The part in between, respond, takes bytes and gives bytes; it holds no lock
// and waits for nobody. Who asks by UDP with an unproven address hears at most
// so much in a second (geodns/limit, geodns/cookie). The package does not find
// out where addresses are (geodns/locate), who is healthy (geodns/health) or
// which challenges there are (geodns/challenge), and it is no resolver: it
// answers for the zones of one map and refuses the rest.
package geodns
