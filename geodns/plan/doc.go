// Package plan compiles everything that answers depend on into tables: the
// map, where addresses are, which edges are down, what was measured, how many
// queries come from where and how much the edges serve go in; for every
// address a choice of edges comes out, with the widest prefix of which the
// same is true.
//
//	refine   the world -> units: prefixes whose clients are alike in all that counts
//	weigh    units -> their shares of all demand, by queries as far as enough were counted
//	fill     units -> edges, as geodns/steer ranks them, as if all were up
//	shed     where that is more than an edge can serve: to the next with room
//	relieve  where that has none: along paths of edges, or by shorter answers
//	refill   the slots of edges that are down or drain: to the next with room
//	explore  a few prefixes: to the edge that measurement is curious about
//	reduce   as many as the budget allows: to what their neighbours are told
//	project  choices -> the addresses told for each kind of question
//
// A choice is a few slots, each an address that is told; resolvers hand them
// out in turn, so each carries an equal part of its clients' demand. Slots of
// edges that serve do not move because another edge died: what is moved is
// what it held. Only if there is room nowhere else, some of its clients are
// told one edge alone. (With a budget, up to that share of clients may move as
// well, for the map is made small anew.) DESIGN.md tells why it is so.
//
// The scope of an answer is the prefix that a table gives: since siblings of
// one answer are joined, it is sound and none shorter is (RFC 7871, 7.2.1).
// With a budget the same holds of the reduced map.
//
// The package is pure: the same input gives the same tables on every name
// server. It does not know how its input is found out, nor DNS.
package plan
