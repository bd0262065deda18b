// Package fleet is a network of Landfall in a lab: a home server in
// Frankfurt, a server in New York behind NAT and a firewall, one in Singapore
// with both families of addresses, and users beside each; a parent zone, a
// certificate authority and everybody's resolvers.
//
//	registry, authority, user-fra -- fra1 (home)
//	                 user-nyc -- firewall, NAT -- nyc1
//	                                  user-sin -- sin1
//
// A built binary goes in. Methods type what an operator types on each server,
// and return when that has shown its effect; what comes out is what users see.
// Tests assert by it, and measurements measure by it; it does neither.
package fleet
