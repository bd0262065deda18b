//go:build !race

package fronttest

// parkedStreams is how many streams are parked.
const parkedStreams = 2000
