// Package peers says whom a node keeps WireGuard sessions with.
//
// A map and the node's own name and key go in; out come its peers, each with
// key, inner address, endpoints and who of the two initiates, and, from two
// such lists, what was added, removed and changed, so that a new map never
// disturbs a session it says nothing about. The package is pure: it opens
// nothing, asks no clock and configures no device.
package peers
