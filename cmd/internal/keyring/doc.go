// Package keyring keeps the keys of zones in a directory, and has them change in
// time.
//
//	DIR/example.com.json              what is to be known of a zone's keys (roll.State); no secret
//	DIR/Kexample.com.+013+12345.key   a key, as BIND has it; .private: its secret half
//	DIR/example.com.bundle            brought from where the KSK is; a secret
//
// A Dir is read and changed by commands and by a Keeper alike, one at a time.
// The Keeper looks at name servers and at parent zones, decides by
// geodns/dnssec/roll, and hands on what name servers sign with. It serves
// nothing, and does not know how what it hands on gets anywhere.
package keyring
