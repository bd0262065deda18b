package geofetch

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"
)

// stored is a gzip stream of b as it is, in blocks that are not compressed
// (RFC 1951, 3.2.4): made in no time, which a fuzzer has little of.
func stored(b []byte) []byte {
	out := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	for rest, last := b, false; !last; {
		n := min(len(rest), math.MaxUint16)
		last = n == len(rest)
		out = append(out, map[bool]byte{true: 1}[last])
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out, rest = append(out, rest[:n]...), rest[n:]
	}
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(b))
	return binary.LittleEndian.AppendUint32(out, uint32(len(b)))
}

// FuzzUnpack: whatever a provider sends, no more than the limit comes out, and
// what comes out without an error is all of it.
func FuzzUnpack(f *testing.F) {
	packed := func(name string, b []byte) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		w.WriteHeader(&tar.Header{Name: name, Size: int64(len(b)), Typeflag: tar.TypeReg})
		w.Write(b)
		w.Close()
		return out.Bytes()
	}
	const limit = 4 << 10
	f.Add(packed("a/x.mmdb", []byte("database")), true)
	f.Add(packed("../x.mmdb", []byte("database")), true)
	f.Add(packed("x.mmdb", make([]byte, 2*limit)), true)
	f.Add(packed("y", nil), true)
	f.Add([]byte("database"), true)
	f.Add(make([]byte, limit+1), true)
	f.Add(stored([]byte("database")), false)
	f.Add(stored([]byte("database"))[:12], false)
	f.Add([]byte("<html>"), false)
	f.Fuzz(func(t *testing.T, b []byte, compress bool) {
		whole := b
		if compress {
			b = stored(b)
		}
		for _, name := range []string{"", "x.mmdb"} {
			var out bytes.Buffer
			err := unpack(&out, bufio.NewReader(bytes.NewReader(b)), name, limit)
			if out.Len() > limit {
				t.Fatalf("%d octets of %d", out.Len(), limit)
			}
			if err == nil && compress && name == "" && !bytes.Equal(out.Bytes(), whole) {
				t.Fatalf("%q became %q", whole, out.Bytes())
			}
			if err == nil && compress && len(whole) > limit {
				t.Fatalf("%d octets were taken", len(whole))
			}
		}
	})
}
