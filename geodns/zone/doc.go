// Package zone makes the DNS zones of a network map: a Map and the challenges
// of a certificate authority go in, Zones come out that hold, ready to be
// copied into answers, the SOA and NS records, the name servers' addresses,
// the static records, the challenges, the names of the services, and what
// edges add to an answer about those; and the faults of what had to be left
// out.
//
//	zones.go    a map -> zones; zone.go: a name -> what is there
//	build.go    what the map has: name servers, services, challenges
//	records.go  what operators write, and whether it may stand where it does
//	cuts.go     where a zone's authority ends; notes.go: what may not be meant
//	steered.go  what answers about services are made of
//
// Zones are a snapshot and never change. They find names; which edges are told
// to whom is not decided here, no message is read or written, and no file:
// see package master. Names are in wire form (RFC 1035, 3.1), since that is
// what queries hold.
package zone
