// Package load asks a name server as fast as it answers, or at a steady rate:
// packets and what their answers ought to be go in, questions go out in
// batches on a few connected sockets, and out come counts, what was wrong and
// how long answers took.
//
// It keeps one thread busy for as long as it runs, which never sleeps: a
// server that answers it does not have to wake it, as it would not have to
// wake a network card. Give that thread a core of its own (Pin). Bursts to one
// socket are sent whole (UDP_SEGMENT, udp(7)); what a server gains by
// receiving them whole (UDP_GRO) says nothing of networks, where questions
// come one by one.
//
// The package needs Linux. It measures nobody's processor time and starts no
// server.
package load
