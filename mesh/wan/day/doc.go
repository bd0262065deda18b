// Package day is a day in the life of a mesh of twelve regions, in seconds.
//
// In goes a function that starts a node on a packet conn; out comes what
// happened to its messages and a hash of every packet that any node sent. The
// regions are where real cities are, the links between them have the delay of
// fibre with detours, jitter, losses and bursts, two regions are behind a NAT,
// and about a dozen things go wrong in the course of the day: cuts in both
// directions and in one, a region cut off, brown-outs, changes of routes, an
// MTU that shrinks. All of it is a function of a seed.
//
// Run is for testing/synctest bubbles, where time is virtual. Spec.Test runs
// such a test in a process of its own against WireGuard without luck (package
// wantest): then the hash is a function of the seed as well, as long as the
// nodes are.
//
// Nodes are not judged here: a Result has figures, and whoever calls knows
// which of them are good.
package day
