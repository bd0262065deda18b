// Package zone makes a DNS zone of a network map: a Map and the challenges of
// a certificate authority go in, a Zone comes out that holds, ready to be
// copied into answers, the SOA and NS records, the name servers' addresses,
// the static records, the challenges, the names of the services, and what
// edges add to an answer about those.
//
// A Zone is a snapshot and never changes. It finds names; which edges are told
// to whom is not decided here, and no message is read or written. Names are in
// wire form (RFC 1035, 3.1), since that is what queries hold.
package zone
