// Package traffic knows where queries come from: the address of each client
// goes in, a frozen View of how many queries each network asks comes out, an
// IPv4 /24 or an IPv6 /48 being a network. The same is read from and written
// to a file, which is what a query log becomes and what outlives a restart.
//
//	counter.go  address -> count, in memory of fixed size
//	key.go      prefix <-> number
//	view.go     what was counted, frozen
//	log.go      View <-> lines of text
//
// It does not decide what the counts are good for; that is geodns/plan's, and
// geodns/budget's.
package traffic
