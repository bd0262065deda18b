// Package steer chooses edges: a map, a client's location and what is known
// of health go in, the edges to name come out, best first, with the reason for
// each that is named and each that is not.
//
// It is pure: the same input gives the same Choice on every name server and on
// every day. It knows neither DNS nor how health is found out.
package steer
