//go:build race

package fronttest

// parkedStreams is how many streams are parked. The race detector makes TCP in
// user space so slow that many more fall behind their retransmissions.
const parkedStreams = 200
