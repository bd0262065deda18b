// Package peers runs name servers side by side: a world and its database go
// in, and out come servers on ports of loopback that answer for the same name
// with the same edges, each configured as well as its documentation allows to
// send every client to the nearest; and unbound as the resolver before them.
//
// Beside them it puts together ends of wireguard-go (wireguard.go), for the mesh.
//
// Servers are Debian's, but for Landfall. They end when they are told to, and
// leave nothing behind but what is in the directory they were given.
package peers
