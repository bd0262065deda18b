package fragment

import (
	"bytes"
	"testing"
)

var key = Key{1, 2, 3, 15: 16}

// TestSipHash holds the example of its authors: key 00 to 0f, input 00 to 0e.
func TestSipHash(t *testing.T) {
	var key Key
	b := make([]byte, 15)
	for i := range key {
		key[i] = byte(i)
	}
	for i := range b {
		b[i] = byte(i)
	}
	if got := sip(&key, b); got != 0xa129ca6149be45e5 {
		t.Errorf("got %x", got)
	}
	if got := sip(&key, nil); got != 0x726fdb47dd0e0e31 {
		t.Errorf("of nothing: got %x", got)
	}
}

// TestTheTagIsOfTheHeaderAndTheKey: no bit of either may be another, and the
// part itself any.
func TestTheTagIsOfTheHeaderAndTheKey(t *testing.T) {
	p := parts(t, datagram(1500, 1), 800, 7)[1]
	if !Genuine(p, &key) {
		t.Fatal("not genuine")
	}
	for i := range Overhead * 8 {
		b := bytes.Clone(p)
		if b[i/8] ^= 1 << (i % 8); Genuine(b, &key) {
			t.Errorf("genuine without bit %d", i)
		}
	}
	for i := range len(key) * 8 {
		other := key
		if other[i/8] ^= 1 << (i % 8); Genuine(p, &other) {
			t.Errorf("genuine with another bit %d of the key", i)
		}
	}
	for n := range Overhead + 1 {
		if Genuine(p[:n], &key) {
			t.Errorf("genuine with %d bytes", n)
		}
	}
	if p[Overhead]++; !Genuine(p, &key) {
		t.Error("the part itself is in the tag")
	}
}

func BenchmarkGenuine(b *testing.B) {
	p := parts(b, datagram(1500, 1), 800, 7)[1]
	for b.Loop() {
		if !Genuine(p, &key) {
			b.Fatal("not genuine")
		}
	}
}
