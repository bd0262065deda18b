// Package atlas makes worlds to measure name servers in: a seed goes in, and
// out come an address space whose prefixes have places, as a database in the
// MaxMind DB format that every name server reads, eight edges, and the truth
// about which of them is nearest to an address.
//
// The address space imitates GeoLite2-Country of 2014-10-08, walked leaf by
// leaf. It had 178,050 IPv4 leaves, 107,020 ranges of addresses by country,
// 37,686 by continent, and 63,696 prefixes (25,676 ranges) as the smallest map
// of three regions. World.Census counts the same of a world: leaves come
// within 1 %, prefixes for three regions within 2 %, ranges by country within
// 5 %, those by region within 12 % and those by continent within 25 %.
//
// Lengths up to /16 are about as many as the global routing table of that time
// had (the weekly Routing Table Report of thyme.apnic.net, "Number of prefixes
// announced per prefix length", rounded); what is longer is shared out so that
// the counts above come about, half of it longer than /24: in the database,
// four fifths of the prefixes for three regions together hold a thousandth of
// the addresses. Worlds are more ragged than it was: the smallest map for three
// regions that tells 0.5 % of addresses wrong has about 10,600 prefixes, there
// it had 5,483.
//
// Countries have rounded shares of the addresses of that time, and real cities
// (places.txt). IPv6 is /32s as registries allocate them, with room between
// them, and some /36 to /48 elsewhere.
//
// The same seed makes the same world, to the byte. The package measures
// nothing and runs no name server.
package atlas
