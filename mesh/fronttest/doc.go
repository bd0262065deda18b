// Package fronttest says how fronts of the mesh behave, as tests that any of
// them has to pass.
//
// A function that makes two fronts goes in, and the suite joins them by a link
// that carries their packets, may lose all of them, and shows each. What does
// not follow from landfall.Stream, landfall.Sink and front.Streams is not
// asked for. The package measures nothing but what a parked stream costs.
package fronttest
