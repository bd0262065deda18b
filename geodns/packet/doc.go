// Package packet carries datagrams between sockets and whoever answers them:
// what has come in is read at once, up to 64 messages, handed over together,
// and the answers are sent at once. A Loop is one socket and one thread of the
// operating system that does nothing else; several sockets at one address
// (Listen) share what comes, by the sender's address.
//
// Datagrams go in and come out; the package knows nothing of what is in them
// and decides nothing. A Loop that ends closes its own descriptor and no more:
// another process may have one for the same socket, and what is still in it is
// for that one. On Linux a batch is two system
// calls (recvmmsg, sendmmsg); on other systems it is one message and the calls
// of package net.
package packet
