// Package backend is the message backend: drafts and changes go in, are
// checked, committed to the log once and for all, and only then acknowledged;
// subscribers get the events of their flows out, in order, without a gap,
// from any point they were at.
//
//	Post -> check -> Log.Append (one durable commit) -> acknowledge
//	                      |-> feed -> hint on the Bus -> feeds elsewhere
//	                      |-> outbox -> derived work
//
// Whatever is in memory or on the bus is a hint of what the log has. The
// backend speaks no protocol and does not ask who somebody is; it decides
// what they may do.
package backend
