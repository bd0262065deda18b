// Package steer ranks edges: a map, and what is known of a client, go in; all
// edges come out, best first, with the reason for each that may be named and
// each that may not.
//
// What counts, the most important first:
//
//	health      an edge that is down or drains is not named while another serves
//	preference  the regions that operators send the client to, in their order
//	measured    the edges that measurement puts first, in its order
//	home        for clients at unknown places: the home region
//	distance    the great circle from the client, or else from home
//	spread      among edges at one place: a draw, by weight
//
// How much an edge can serve is a matter of all clients together, and decided
// by geodns/plan.
//
// The package is pure: the same input gives the same order on every name
// server and on every day. It knows neither DNS nor how health, places and
// round trips are found out.
package steer
