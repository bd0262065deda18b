package geofetch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"testing"
)

// A file with holes takes no room in an archive, and all there is when it is
// unpacked.
func TestHolesAreNotUnpacked(t *testing.T) {
	const size = 1 << 40
	var pax, archive bytes.Buffer
	for _, kv := range [][2]string{{"major", "1"}, {"minor", "0"}, {"name", "GeoLite2-City.mmdb"}, {"realsize", fmt.Sprint(size)}} {
		record := " GNU.sparse." + kv[0] + "=" + kv[1] + "\n"
		fmt.Fprintf(&pax, "%d%s", len(record)+2, record) // each is of two digits' length
	}
	entry := func(name string, kind byte, data []byte) {
		head := make([]byte, 512)
		copy(head, name)
		copy(head[100:], "0000644\x000000000\x000000000\x00"+fmt.Sprintf("%011o\x00", len(data))+"00000000000\x00        ")
		head[156] = kind
		copy(head[257:], "ustar\x0000")
		sum := 0
		for _, c := range head {
			sum += int(c)
		}
		copy(head[148:], fmt.Sprintf("%06o\x00 ", sum))
		archive.Write(head)
		archive.Write(append(data, make([]byte, -len(data)&511)...))
	}
	entry("PaxHeaders/x", 'x', pax.Bytes())
	sparseMap := make([]byte, 512)
	copy(sparseMap, fmt.Sprintf("1\n%d\n0\n", size))
	entry("GNUSparseFile.0/GeoLite2-City.mmdb", '0', sparseMap)
	archive.Write(make([]byte, 1024))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(archive.Bytes()); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	to := &little{room: 2 << 20}
	if err := unpack(to, bufio.NewReader(&packed), "GeoLite2-City.mmdb", 1<<20); err == nil || to.room < 0 {
		t.Errorf("%d octets of room left, err %v", to.room, err)
	} else {
		t.Log(err)
	}
}

// little takes no more than it has room for.
type little struct{ room int }

func (l *little) Write(b []byte) (int, error) {
	if l.room -= len(b); l.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}
