// Package lab puts a world around servers that are network namespaces of one
// machine, for tests and measurements of the real binary: what a network
// needs and does not bring along.
//
// In goes a Config of package netlab, which makes the hosts and the internet
// between them. Out comes a Lab whose hosts can be more than programs: a
// parent zone (Knot), users' resolvers (unbound), a certificate authority
// (Pebble), a browser (Chromium), and a database that says where the hosts
// are. Each service asks for its own Debian package.
//
// The lab asserts nothing and knows nothing of Landfall.
package lab
