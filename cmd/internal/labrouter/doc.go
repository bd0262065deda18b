// Package labrouter carries a lab's packets in a process of its own, where
// nothing else delays them.
//
// In goes the device that packets come out of; Start runs a program on it
// that calls Serve, and out comes a Client that tells it about sites, links
// and phases. The two speak over a pair of sockets, one JSON document for
// each question and each answer. When either end goes away the other one
// ends: a router never outlives who started it.
//
// The package decides nothing about links; package wan does the work.
package labrouter
