// Package certs gives the edges their certificates from an authority of the
// network's own.
//
// A certificate signing request (RFC 2986) goes in over the mesh, from a
// Source at an edge to the Issuer at home; a certificate for the hosts of the
// map comes out, signed by the Authority. The private key never leaves the
// edge that made it.
//
//	Source (each edge) --CSR--> Issuer (home) -> Authority
//	   |    <----- chain -----
//	   +-> disk, and edge.Certificates
//
// The Authority is for development and for the needs of the mesh: only who
// has been told to trust its root does, and for the network's domain alone.
// The package asks no public authority and knows nothing of the mesh: the way
// to the Issuer, and who calls it, are handed in.
package certs
