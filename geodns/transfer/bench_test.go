package transfer

import (
	"fmt"
	"testing"
)

// large is a zone of many records, in two versions that differ in one.
func large(b *testing.B) (h *History, again func() uint32, whole func() int) {
	b.Helper()
	var records []string
	for i := range 50_000 {
		records = append(records, fmt.Sprintf("n%d A 198.51.100.%d", i, i%250))
	}
	h = h.Next(zoneOf(b, 7, records...), told)
	z := zoneOf(b, 7, append(records, "late A 192.0.2.9")...)
	return h, func() uint32 { return h.Renumber(z, 7, told, noon) }, func() (size int) {
		q := request(b, 0)
		if err := q.Send(h.Whole(), func(msg []byte) error { size += len(msg); return nil }); err != nil {
			b.Fatal(err)
		}
		return size
	}
}

// BenchmarkRenumber finds out whether a zone of 50,000 records has changed.
func BenchmarkRenumber(b *testing.B) {
	h, again, _ := large(b)
	for b.Loop() {
		if again() == h.Serial() {
			b.Fatal("no change found")
		}
	}
}

// BenchmarkWhole writes the messages of a transfer of 50,000 records.
func BenchmarkWhole(b *testing.B) {
	_, _, whole := large(b)
	for b.Loop() {
		b.SetBytes(int64(whole()))
	}
}
