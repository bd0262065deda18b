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
// Lengths are not measured from any table. Those up to /16 are about what the
// global routing table of that time had, from memory and rounded; no report was
// at hand to check them against. What is longer is shared out so that the
// counts above come about, half of it longer than /24: in the database, four
// fifths of the prefixes for three regions together hold a thousandth of the
// addresses.
//
// The counts do not pin a world down. What a budget saves depends on how alike
// neighbours are beyond what is counted, and worlds are easier there than the
// database was: told 0.5 % wrong without a bound, its map for three regions had
// 5,483 prefixes; that for three edges of a world has about 2,000. Figures of
// budgets are of these worlds, and flatter.
//
// Countries have rounded shares of the addresses of that time, and real cities
// (places.txt). IPv6 is /32s as registries allocate them, with room between
// them, and some /36 to /48 elsewhere.
//
// The same seed makes the same world, to the byte. The package measures
// nothing and runs no name server.
package atlas
