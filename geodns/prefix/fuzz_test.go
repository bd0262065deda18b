package prefix

import (
	"encoding/binary"
	"testing"
)

// FuzzTable makes prefixes of bytes: four of address, one of length, one of
// label and family.
func FuzzTable(f *testing.F) {
	f.Add([]byte{10, 0, 0, 0, 8, 1, 10, 64, 0, 0, 10, 2, 11, 0, 0, 0, 8, 1})
	f.Add([]byte{0x20, 1, 0, 0, 16, 0x81, 0x20, 3, 0, 0, 16, 0x81, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{255, 255, 255, 255, 128, 0x83, 255, 255, 255, 255, 32, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		var o oracle
		for ; len(data) >= 6 && len(o) < 12; data = data[6:] {
			k := binary.BigEndian.Uint32(data)
			l := Leaf{four(k).prefix(int(data[4]) % 33), uint32(data[5] & 3)}
			if data[5]&0x80 != 0 {
				l.Prefix = six{uint64(k) << 32, uint64(k)}.prefix(int(data[4]) % 129)
			}
			l.Prefix = l.Prefix.Masked()
			if _, shift, ok := Fold(l.Prefix.Addr()); ok && l.Prefix.Bits() >= shift {
				continue // not heard
			}
			o = append(o, l)
		}
		verifyAll(t, Build(o), o)
		double := func(x, y uint32) uint32 { return x + y }
		verifyLeaves(t, Cross(Build(o), Build(o[len(o)/2:]), double))
	})
}
