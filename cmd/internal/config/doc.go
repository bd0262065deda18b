// Package config reads network.toml: the bytes of the file go in, a checked
// landfall.Map comes out, or else every fault of the file at once, each with
// its place, the line underlined and a cure.
//
// A file is read in four steps, one file of this package each: tree makes the
// text into tables and values that remember where they stand, schema says
// which keys there are, decode reads the values, and faults joins what these
// found with what Map.Check says about the whole. Where a value is wrong but
// its meaning is plain, reading goes on as if it had been right, so that one
// slip is told once and what follows from it is not.
//
// The package opens no file, knows no command and prints nothing. It is the
// only one that imports go-toml.
package config
