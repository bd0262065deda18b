// Package config reads network.toml: the bytes of the file go in, a checked
// landfall.Map comes out, or else every fault of the file at once, each with
// its place, the line underlined and a cure.
//
// A file is read in steps, each in a file of this package: grow makes the
// text into a tree of values that remember where they stand, and syntax goes
// on where it is not TOML; schema says which keys there are, decode and
// values read them, and parse adds what Map.Check says about the whole;
// source works out lines and columns, and problem and excerpt say them.
// Where a value is wrong but its meaning is plain, reading goes on as if it
// had been right, so that one slip is told once and what follows from it is
// not.
//
// The package opens no file, knows no command and prints nothing. It is the
// only one that imports go-toml.
package config
