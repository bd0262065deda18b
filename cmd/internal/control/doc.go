// Package control is what operators may change about a network, asked of the
// node of the home region through its control socket.
//
// Requests in JSON go in at the Client's end, on the same machine; the
// Handler hands them to an Operator, which signs the next map. What comes out
// is the serial to wait for, or a sentence that says why not. Looking without
// changing is package admin's.
package control
