// Package roll decides when the keys of a zone change: a State, a time and the
// Facts of that time go in, the next State comes out, and when to look again
// (RFC 6781, 4; RFC 7583).
//
//	ZSK  publish -> sign -> remove                  pre-publication (RFC 7583, 3.2.1)
//	KSK  publish -> ask -> seen -> remove the old   double signature (RFC 7583, 3.3.1), CDS (RFC 7344)
//	none leave -> end                               CDS delete (RFC 8078, 4)
//
// A State holds times alone, so that View is all that a name server needs to
// know at any of them, and whoever holds an older State than others is never at
// odds with them: a step is taken when all name servers were seen to have taken
// the one before, and what resolvers may still keep has expired. Where nobody
// looks at the name servers, because what they know is carried to them by hand,
// the steps are at times that are long enough apart.
//
// The package is pure. It makes no keys: those that a State lacks are for the
// caller to make. It asks nobody: Facts are.
package roll
