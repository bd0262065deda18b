package warm

import (
	"encoding/binary"
	"errors"

	"landfall"
)

// What a preamble's first byte says, in its upper four bits.
const (
	kindGo   = 0x00
	kindWarm = 0x10
)

// taken is what the accepting side answers "go" with.
const taken = 0x00

// numberSize is the size of N and M.
const numberSize = 4

// maxPadding is the most that may be asked for at once.
const maxPadding = 16 << 20

var errPreamble = errors.New("mesh stream: bad preamble")

// request is what an opener asks for: padding, or to go.
type request struct {
	padding int // 0 is to go
	class   landfall.Class
}

// reader reads requests from bytes that come in any pieces.
type reader struct {
	buf [1 + numberSize]byte
	n   int
}

// read takes bytes up to the end of the next request, and no more; ok says
// whether it has found that.
func (r *reader) read(b []byte) (used int, q request, ok bool, err error) {
	for _, c := range b {
		r.buf[r.n] = c
		r.n++
		used++
		if q, ok, err = r.parse(); ok || err != nil {
			r.n = 0
			return used, q, ok, err
		}
	}
	return used, request{}, false, nil
}

func (r *reader) parse() (q request, ok bool, err error) {
	kind, class := r.buf[0]&0xf0, landfall.Class(r.buf[0]&0x0f)
	switch {
	case class > landfall.Control, kind != kindGo && kind != kindWarm:
		return q, false, errPreamble
	case kind == kindGo:
		return request{class: class}, true, nil
	case r.n < len(r.buf):
		return q, false, nil
	}
	n := binary.BigEndian.Uint32(r.buf[1:])
	if n == 0 || n > maxPadding {
		return q, false, errPreamble
	}
	return request{padding: int(n), class: class}, true, nil
}

// goBytes are "go" and the service's first bytes.
func goBytes(c landfall.Class, first []byte) []byte {
	return append([]byte{kindGo | byte(c)}, first...)
}

// warmBytes ask for padding.
func warmBytes(c landfall.Class, padding int) []byte {
	return binary.BigEndian.AppendUint32([]byte{kindWarm | byte(c)}, uint32(padding))
}
