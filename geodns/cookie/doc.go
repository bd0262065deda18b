// Package cookie makes and checks DNS cookies: a client's cookie, its address
// and the time go in, the server's cookie comes out, as RFC 9018 lays it out,
// so that name servers with one secret take each other's cookies. Who returns
// a valid one has received an answer of ours before: its address is no lie.
//
// The package is pure: it is told the time, and decides nothing about who is
// answered.
package cookie
