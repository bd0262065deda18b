// Package wantest runs tests whose every step is to be the same on every run.
//
// In goes a package of this module with WireGuard devices in its tests; out
// come those tests as a program, built against a copy of WireGuard that is
// the pinned version but for one function: upstream takes the jitter of its
// timers from the runtime's generator, which no seed reaches; the copy takes
// it from the time, which is virtual in a bubble and the same on every run.
// The copy is made in a temporary directory and is never part of the product;
// nothing is built from a version whose timers this package has not been told
// of.
//
// It takes the go command and does not run anything with the race detector:
// that costs more than the virtual time is worth.
package wantest
