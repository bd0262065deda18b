package wg

import (
	"iter"

	"landfall"
	"landfall/mesh/class"
)

// run is a part of a batch that is sent under one mark.
type run struct {
	bufs     [][]byte
	tos      uint8
	class    landfall.Class
	payloads int // how many are no keepalives
}

// newRun is the run at the beginning of a batch.
func newRun(bufs [][]byte) (r run) {
	for i, d := range bufs {
		tos, c := marks(d)
		if i > 0 && (tos != r.tos || c != r.class) {
			break
		}
		r.bufs, r.tos, r.class = bufs[:i+1], tos, c
		if len(d) > keepaliveSize {
			r.payloads++
		}
	}
	return r
}

// runs divides a batch. Its order is kept: TCP takes a changed one for loss.
func runs(bufs [][]byte) iter.Seq[run] {
	return func(yield func(run) bool) {
		for len(bufs) > 0 {
			r := newRun(bufs)
			if bufs = bufs[len(r.bufs):]; !yield(r) {
				return
			}
		}
	}
}

// marks tells how a datagram is sent. What has no packet in it has no tag.
func marks(d []byte) (tos uint8, c landfall.Class) {
	if len(d) <= keepaliveSize || !spacious(d) {
		return class.TOS(landfall.Control, 0), landfall.Control
	}
	t := getOut(d)
	return t.tos, t.class
}

func longest(bufs [][]byte) (n int) {
	for _, d := range bufs {
		n = max(n, len(d))
	}
	return n
}
