// Package ecs asks name servers as resolvers and their clients do: prefixes
// of clients go in, queries with the option Client Subnet (RFC 7871) go out,
// and answers come back with their scope. It holds a number of questions in
// flight and sends one for each that is answered; a Relay stands between a
// resolver and a name server and counts what goes through.
//
// The package knows as much of the protocol as that takes, keeps nothing, and
// trusts nothing it reads further than its bounds.
package ecs
