// Package atlas makes worlds to measure name servers in: a seed goes in, and
// out come an address space whose prefixes have places, as a database in the
// MaxMind DB format that every name server reads, eight edges, and the truth
// about which of them is nearest to an address.
//
// Lengths of IPv4 prefixes are those of a real router's table, which has
// 1,076,791 routes of /8 to /32: the table rule_count in
// app/test/test_lpm_perf.c of the DPDK project (github.com/DPDK/dpdk), its
// three classes together. All are scaled by one factor, to the 178,050 leaves
// that GeoLite2-Country of 2014-10-08 had. Routes nest and leaves do not, so
// that they cover 56 % of unicast space; nobody knows the rest, most of it
// whole /8s and three pieces to a hundred leaves.
//
// How alike neighbours are was chosen by counts of that database, and by
// nothing else. A world (World.Census) is off by so much:
//
//	107,020 ranges of addresses by country        +1 to +6 %
//	 37,686 by continent                          -10 to -13 %
//	 63,696 prefixes for three regions            within 1 %
//	 49,743 if unknown space joins a neighbour    -1 to -3 %
//	 25,676 ranges for three regions              +21 to +24 %
//
// IPv6 is scaled by the same factor, from the 122,385 prefixes of the report
// bgp.potaroo.net/v6/as2.0 of 2021-05-02, of which 57.4 % lie inside another
// and whose average length is 42.5. Their lengths and places are chosen.
//
// Countries have rounded shares of the addresses of 2014, and real cities
// (places.txt). The same seed makes the same world, to the byte. The package
// measures nothing and runs no name server.
package atlas
