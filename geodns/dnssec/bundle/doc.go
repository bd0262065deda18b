// Package bundle makes what a name server needs of the keys of a zone, and
// writes it down.
//
//	make.go    roll.State, private keys, two times -> dnssec.Keys
//	encode.go  dnssec.Keys <-> bytes: whole, or public and secret parts apart
//	bind.go    a key <-> files as BIND has them (K*.key, K*.private)
//
// A bundle holds the private keys of ZSKs, and what KSKs have signed; it never
// holds the private key of a KSK. The package decides nothing (geodns/dnssec/roll
// does) and keeps nothing.
package bundle
