// Package challenge is the journey of a certificate authority's challenges
// from the issuer at home to the name servers.
//
// In goes, at home, the whole set of TXT records that should be served
// (Book.Present); out it comes at every name server (ClientConfig.Apply), and
// Present returns once it is there. Name servers ask, and their next question
// is the receipt:
//
//	Present(v2) --.   GET /challenges?epoch=E&have=1   (held up to 4 s)
//	              '-> v2 ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~> Apply(v2)
//	returns <-------  GET /challenges?epoch=E&have=2
//
// A name server that hears nothing does not know what it should serve. Silence
// after the moment at which the book had last answered, counted from when the
// question was sent and how long the book says it held it, it says so
// (ClientConfig.Unknown), and answers SERVFAIL. So the book, which knows when
// it answered last, waits that long for a receipt and no longer: then whoever
// has not given one serves no old set either. So it is with a name server that
// has left the map: it gets no answers, and is waited for until it knows.
//
// The package does not know what carries its connections, what DNS is, or what
// the records prove.
package challenge
