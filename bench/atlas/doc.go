// Package atlas makes worlds to measure name servers in: a seed goes in, and
// out come an address space whose prefixes have places, as a database in the
// MaxMind DB format that every name server reads, eight edges, and the truth
// about which of them is nearest to an address.
//
// What the address space is like:
//
//   - Prefix lengths up to /16 are as many as in the global routing table of
//     2014 as the weekly Routing Table Reports count it (thyme.apnic.net,
//     "Number of prefixes announced per prefix length", rounded); the longer
//     ones are a third of it, so that the leaves are as many as those of
//     GeoLite2-Country of 2014-10-08: 178,050.
//   - Neighbours are alike as they are there: the places were tuned until the
//     ranges by country (107,020), by continent (37,686) and the smallest
//     number of prefixes for three regions (63,696) came near; World.Census
//     says how near.
//   - Countries have rounded shares of the addresses of that time, and real
//     cities (places.txt).
//
// The same seed makes the same world, to the byte. The package measures
// nothing and runs no name server.
package atlas
