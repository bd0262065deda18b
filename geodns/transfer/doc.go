// Package transfer gives copies of zones to the name servers of others: what
// is in a zone, and what was, goes in, and out come the messages of a whole
// transfer (AXFR, RFC 5936) or of the differences since a serial (IXFR, RFC
// 1995), and, by a Notifier, word of a new serial (NOTIFY, RFC 1996).
//
//	record.go   zone -> records, in canonical order
//	serial.go   which serial a changed zone gets (RFC 1982)
//	history.go  versions of a zone -> differences, as far back as is worth it
//	stream.go   records -> messages
//	access.go   who may have a copy
//	notify.go   who is to hear of a new serial, until it has
//
// A plain secondary knows of no clients: steered names come with the answer
// that is right for nobody in particular, which the caller chooses. Connections
// and signatures of messages are the caller's too.
package transfer
