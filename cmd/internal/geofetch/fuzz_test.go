package geofetch

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"testing"
)

// FuzzUnpack: whatever a provider sends, no more than the limit comes out, and
// what comes out without an error is all of it.
func FuzzUnpack(f *testing.F) {
	plain := func(b []byte) []byte {
		var out bytes.Buffer
		z, _ := gzip.NewWriterLevel(&out, gzip.NoCompression)
		z.Write(b)
		z.Close()
		return out.Bytes()
	}
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
	f.Add(plain([]byte("database")), false)
	f.Add(plain([]byte("database"))[:12], false)
	f.Add([]byte("<html>"), false)
	f.Fuzz(func(t *testing.T, b []byte, compress bool) {
		whole := b
		if compress {
			b = plain(b)
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
