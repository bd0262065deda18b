// Package certs has certificates ordered once, at home, and sends them sealed
// to the edges.
//
// The services of the map go in; what comes out at each edge is the
// certificate to show for a host (edge.Certificates). On the way:
//
//	Map -> Keeper -> Signer: Authority, or ACME ---> Challenges (TXT records)
//	         |  \-> disk at home
//	       Server  ~~ long poll, sealed ~~>  Source -> edge.Certificates
//	       (home)                            (edge) \-> disk, still sealed
//
// The Keeper makes the keys, has each group of hosts signed, renews in time
// and in moderation, and revokes. The Server seals all of it to the edge that
// asks (HPKE, RFC 9180, to the keys that the map has of it). The Source
// unseals, shows only what users of the network trust (Roots), and starts from
// its disk while home is dark.
//
// The Authority is the network's own: only who has been told to trust its root
// does, and for the network's domain alone. ACME is a public one (RFC 8555).
//
// The package knows nothing of the mesh, of maps' ways, or of name servers: the
// way home, who calls, and the setter of TXT records are handed in. It makes no
// wildcard certificates. Why things are as they are: DESIGN.md.
package certs
