// Package resolver learns which clients stand behind which resolver. Most
// resolvers do not say whom they ask for, and a carrier's may stand in another
// country than all its clients. A page that opts in makes its browsers fetch
// something from a host that nobody asked for before:
//
//	browser -- TOKEN.seen.DOMAIN? --> resolver -- the same --> name server: Asked
//	browser -- GET https://TOKEN.seen.DOMAIN/ --------------> edge
//	                             edge -- TOKEN, client -----> name server: Fetched
//
// Who asked for a token and who fetched it within a minute go in; a frozen
// View comes out that says of each resolver which networks its clients are in,
// and in what parts.
//
//	token.go    name -> token
//	asked.go    tokens that wait for their fetch
//	picture.go  what is known of one resolver
//	book.go     all of them
//	view.go     the same, frozen
//	file.go     the same, kept
//
// It knows no distances and no round trips, and does not choose an edge for a
// resolver: that is geodns/plan's.
package resolver
