// Package measure learns which edges are near to whom: samples of round-trip
// times that edges took go in, together with what geography says; a View comes
// out that tells, for each /24 and /48 that was measured, which edges come
// first where that is not geography's order, and which edge is to be tried.
//
//	admit.go    sample -> taken, or dropped and counted
//	cell.go     samples of one edge and prefix -> an estimate
//	order.go    estimates and predictions -> an order, with hysteresis
//	cap.go      orders of all prefixes -> those that the edges are believed
//	explore.go  what is not known -> who is tried in this epoch
//	freeze.go   all of these, once an epoch -> View
//	state.go    what was learnt -> a file, and back
//
// What is decided depends on samples, the map, the network's name and the
// epoch, never on chance: name servers that were told the same decide alike.
// The package does not take samples, does not carry them between nodes and
// does not know who is up; geodns/plan makes answers of its View. What was
// chosen and refused is in DESIGN.md.
package measure
