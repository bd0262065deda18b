// Package wire is how the chat looks from outside: the nouns of the chat go
// in, and the JSON of Flowdock's public API comes out, with absolute URLs as
// the asker sees them. It reads no input and decides nothing.
package wire
