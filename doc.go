// Package landfall holds the nouns that every part of Landfall shares: the
// network map and what it is made of, keys, addresses on the mesh, and the
// few seams across which the parts hand each other work.
//
// A Map goes in, from a file or from the mesh, and is handed read-only to
// every part; Check tells all its faults, Diff what changed between two. The
// package uses the standard library only. It starts no goroutine, opens no
// file, keeps no state and writes no log.
package landfall
