// Package cli is the command line: arguments and an environment go in, what
// the user sees and an exit status come out.
//
// Every command is a row of one table, Commands, made by a function in a
// file of its own; `landfall help`, docs/commands.md, the list in README.md
// and the shells' completions are all written from that table. The package
// reads flags, files and the environment, and hands plain values to the
// packages that do the work; it decides nothing that they could. Only
// cobra.go imports cobra and pflag.
package cli
