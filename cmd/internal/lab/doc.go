// Package lab runs what a lab.toml describes: machines with an internet
// between them, their programs, and phases in which things happen and are
// measured.
//
// In goes a config.Lab and a directory; out come progress and tables for
// people, a report for programs, and in the directory the hosts' files and
// what their programs printed. While a lab runs, Enter puts the calling
// process onto one of its hosts.
//
// Phases whose packets were handed on too late are repeated, from the state
// in which they began: links and programs are put back first. Files are not.
//
// Package netlab makes the machines, labrouter carries the packets in a
// process of its own, and package wan decides about them; this package has
// no opinion about any of it.
package lab
