// Package geomap draws which edge serves which part of the world: edges, a
// function that tells who serves a place, and places of clients go in, an SVG
// document comes out.
//
// The projection is Equal Earth (Šavrič, Patterson and Jenny, 2018), in which
// areas are as large as they are on the globe. Colours are chosen to be told
// apart with any kind of sight, and nothing is told by colour alone: edges have
// their names beside them, and the legend says all in words. The same Drawing
// is the same document, to the byte.
//
// The package does not know how answers are made.
package geomap
