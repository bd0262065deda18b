// Package locate tells where an address is: a geographic database and one of
// networks, both in the MaxMind DB format, and the operators' overrides go in;
// a Table comes out that gives for every address its landfall.Location and the
// widest prefix around the address for which that Location is the same.
//
// Databases are verified and flattened when they are loaded and never asked
// again (geodns/prefix has the tables), and the files may be replaced
// meanwhile. A File follows them, each for itself: it loads what is new, keeps
// what it has when the new one is damaged, falls back on a database in memory
// where it has nothing yet, and says so. Compare tells how much of the world
// would move from one Table to the next.
//
// IPv4 addresses inside IPv6 ones are where the IPv4 address is; what a
// database says of these parts of IPv6 is not heard (prefix.Fold).
//
// Coordinates that are not on the Earth are counted and not believed; the
// middle of the record's country is taken instead. One bad record among a
// million is no reason to steer by an older database. A file whose form is
// damaged anywhere is refused as a whole: nobody knows what else in it is.
//
// The package does not fetch databases or know about edges.
package locate
