// Package report is what edges tell name servers: how much they serve, how far
// their clients are, and who fetched a token of geodns/resolver. A report goes
// in, as JSON over the mesh; samples and fetches come out to who asked for
// them, and the demand on all edges together.
//
//	wire.go  Report <-> JSON
//	book.go  who said what last, and what they serve together
//	serve.go POST /report
//
// It believes an edge only as to itself, and judges neither samples
// (geodns/measure) nor fetches (geodns/resolver).
package report
