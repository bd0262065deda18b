// Package room says how many connections there is room for, and shares it out.
//
// How many descriptors the process may open, and how much memory there is,
// goes in; a Plan that adds up comes out. Shares keeps anybody from having so
// much of a room that nothing is left for others; Held gives a place back when
// its connection closes; Seldom keeps what happens often from filling a log.
//
// The package opens, closes and accepts nothing of its own accord.
package room
