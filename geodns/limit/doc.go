// Package limit says how much one network may be told: the client's address,
// the kind of answer and the time go in, whether to answer comes out. Queries
// by UDP can bear anybody's address, so that without a limit we would flood
// whomever an attacker names (response rate limiting, ISC-TN-2012-1).
//
// The package is pure: it is told the time, and does not decide what becomes
// of an answer that is over the limit.
package limit
