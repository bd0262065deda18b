// Package stream is the streaming API of the chat: a request for some flows
// goes in, and their events come out for as long as the client listens, as
// lines of JSON or as server-sent events, each whole in one write.
//
// A reader who comes back with the last cursor it got goes on without a gap.
// The package keeps no queue of its own: who is too slow is cut and resumes.
package stream
