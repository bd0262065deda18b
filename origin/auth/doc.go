// Package auth says who sent a request: credentials go in (HTTP Basic or
// Bearer, a query parameter, a session cookie, or an address and a password)
// and a user comes out. It makes the secrets, too, and the hashes of them
// that stores keep. What the user may do is not its business.
package auth
