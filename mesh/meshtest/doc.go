// Package meshtest is a mesh in memory, for tests of what stands on one.
//
// A Network has nodes by name; each dials, opens and listens as mesh.Mesh
// does, with streams that buffer, hold back a fast writer, half-close and
// reset as real ones do. Packets is the layer below: packet conns in memory
// with delay, cuts and an ear on the wire. Both work in testing/synctest
// bubbles. Neither encrypts, loses or reorders anything.
package meshtest
