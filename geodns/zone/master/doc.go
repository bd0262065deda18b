// Package master reads zones as operators write them: the text of a master
// file (RFC 1035, 5) with all that it includes goes in, the records of one zone
// come out, with the place of each and every fault that was found on the way;
// it writes such a text, too.
//
//	scan.go      text -> entries of words that know where they stand
//	read.go      entries -> records; include.go, generate.go: directives
//	record.go    words -> one record
//	set.go       records -> sets that are of one piece (RFC 2181, 5)
//	write.go     records -> text
//
// Names come out in full and in lower case, data as any reader of master files
// takes it. The package opens no file itself, and whether the records make a
// zone together is judged by package zone.
package master
