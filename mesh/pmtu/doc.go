// Package pmtu finds out how large a datagram a way carries, by sending some.
//
// Which sizes were answered goes in, with times; out come the largest size
// that is believed to arrive and the sizes to probe next. It is the search of
// RFC 8899 (datagram packetization layer path MTU discovery), in its words.
// Sizes are those of UDP payloads.
//
//	             nothing answers, MaxProbes times
//	      base ------------------------------------> error
//	       |                                           |
//	       | a rung answers              a rung answers|
//	       v                                           |
//	   searching <-------------------------------------+
//	       |  ^
//	known  |  | RaiseEvery, or something larger arrived
//	within |  |
//	Step   v  |
//	   complete
//
//	anywhere: Suspect, or what was confirmed no longer answers (black hole):
//	back to base, believing in the floor only
//
// A search begins with a ladder: one probe of each usual size, all at once. So
// on most paths the answer is there after one round trip. Then each round
// probes a few sizes between the largest that answered and the smallest that
// did not, until they are Step apart.
//
// Loss is told from narrowness as follows. An answer is proof, at any time. A
// probe without answer is a hint: the search goes on below it, and comes back
// to that size until it has failed MaxProbes times. So a lost probe costs a
// round, and no more. What has failed for good is tried again by RaiseEvery.
//
// Before anything is known Size is Base, as RFC 8899 has it. Once there is
// reason to doubt, it is what has been seen to arrive and nothing else: the
// Floor at first, which every path carries. The price is that datagrams travel
// in fragments for one round trip.
//
// ICMP can be forged, and is dropped in many places: a Hint makes the search
// look at once, and is never believed.
//
// The package asks no clock and sends nothing. A search costs at most Budget
// bytes and one round more.
package pmtu
