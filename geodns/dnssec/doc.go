// Package dnssec signs zones (RFC 4033 to 4035) with ECDSA P-256 (RFC 6605):
// the keys of a zone and a time go in, a Ring of what is in force then comes
// out, and a Signer that makes RRSIG records with it.
//
//	key.go    a key: DNSKEY, CDNSKEY, CDS and DS data (RFC 4034, RFC 7344)
//	keys.go   all that a name server needs of the keys of one zone
//	window.go for how long signatures hold
//	ring.go   keys, time -> the key and the sets that are in force
//	local.go  keys at hand -> Keys
//	sign.go   set -> RRSIG; canon.go: a set in canonical form
//	cache.go  signatures that were made before
//
// Name servers with the same keys make the very same signatures: those are
// deterministic (RFC 6979), and hold for times that all find out alike. What
// is cached is therefore never wrong, and only ever saves work.
//
// The private key of a KSK has no place on a name server: what it signs comes
// with Keys, made elsewhere, for stretches of time. The package decides
// neither which sets a zone has (geodns/zone) nor when keys change, and reads
// no files.
package dnssec
