// Package tsig signs DNS messages with secrets that two servers share, and
// checks such signatures (RFC 8945): a message and a Ring of keys go in, and
// out comes a Session, which knows who signed it, what was wrong, and signs
// the messages that answer it.
//
// A Ring is read from a file of key statements, as tsig-keygen writes them.
// Algorithms are HMAC with SHA-256, SHA-384 and SHA-512; signatures are never
// cut short. The package has no clock: what time it is, it is told. What a key
// allows is not decided here.
package tsig
