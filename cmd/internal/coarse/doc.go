// Package coarse makes a geographic database from nothing but the lists of
// address blocks that IANA gave to the regional registries.
//
// A directory goes in; a file in MaxMind's format comes out, which places an
// address on a continent. It knows no countries and no cities: operators who
// have a better database name it in node.toml.
package coarse
