// Command bench measures Landfall and prints tables. In goes a built binary,
// or the tree to build one from; out come figures with their spread, beside
// the figure aimed at. It asserts nothing: a machine that is busy or slow
// makes a bad table, not a failure.
//
//	go run . [flags] skeleton ops
//
// README.md says what is measured and how, GAPS.md what is not.
package main
