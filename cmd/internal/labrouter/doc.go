// Package labrouter carries a lab's packets in a process of its own, where
// nothing else delays them.
//
// In goes the device that packets come out of; Start runs a program on it
// that calls Serve, and out comes a Client that tells it about sites, links
// and phases. The two speak over a pair of sockets, one JSON document for
// each question and each answer. A router that loses who started it ends, and
// takes with it what runs in the namespaces that it guards.
//
// The package decides nothing about links; package wan does the work.
package labrouter
