package fragment

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var (
	start = time.Unix(1_800_000_000, 0)
	alice = netip.MustParseAddrPort("192.0.2.1:51820")
	bob   = netip.MustParseAddrPort("[2001:db8::1]:51820")
)

func datagram(size int, seed byte) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = seed + byte(i*7) + byte(i>>8)
	}
	return b
}

// parts splits a datagram, which must be possible.
func parts(t testing.TB, b []byte, mtu int, id uint32) (list [][]byte) {
	t.Helper()
	if err := Split(nil, b, mtu, &key, id, func(p []byte) { list = append(list, bytes.Clone(p)) }); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPartsAreFewAndFit(t *testing.T) {
	for mtu := 270; mtu <= 1500; mtu += 7 {
		for size := 1; size <= MaxSize; size += 13 {
			b := datagram(size, 1)
			list := parts(t, b, mtu, 7)
			if size <= mtu {
				if len(list) != 1 || !bytes.Equal(list[0], b) {
					t.Fatalf("%d bytes fit into %d and were split", size, mtu)
				}
				continue
			}
			room := mtu - Overhead
			if len(list) < 2 || len(list)*room < size || (len(list)-1)*room >= size {
				t.Fatalf("%d bytes over %d: %d parts", size, mtu, len(list))
			}
			var r Reassembler
			for i, p := range list {
				if len(p) > mtu || len(p) > len(list[0]) || i < len(list)-1 && len(p) != len(list[0]) || !Is(p) {
					t.Fatalf("%d bytes over %d: part %d of %d has %d", size, mtu, i, len(list), len(p))
				}
				got, err := r.Add(alice, true, 0, p, start)
				if err != nil || (got != nil) != (i == len(list)-1) || got != nil && !bytes.Equal(got, b) {
					t.Fatalf("%d bytes over %d, part %d: %v, %v", size, mtu, i, got, err)
				}
			}
		}
	}
}

func TestWhatCannotBeCarriedIsRefused(t *testing.T) {
	for _, c := range []struct{ size, mtu int }{
		{MaxSize + 1, 1400}, {65535, 1400}, {MaxSize, 269}, {100, Overhead}, {100, 0}, {100, -5},
	} {
		if n, err := Count(c.size, c.mtu); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes over %d: %d parts, %v", c.size, c.mtu, n, err)
		}
		err := Split(nil, make([]byte, c.size), c.mtu, &key, 1, func([]byte) { t.Error("emitted a part") })
		if !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes over %d: %v", c.size, c.mtu, err)
		}
	}
}

// TestAnyWeather sends many datagrams at once over a path that loses,
// duplicates and reorders: what arrives is what was sent, and everything whose
// parts arrived in time arrives.
func TestAnyWeather(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		type flight struct {
			id   int
			wire []byte
		}
		var flights []flight
		sent := make([][]byte, 24)
		complete := map[int]bool{}
		for id := range sent {
			sent[id] = datagram(1100+rnd.IntN(MaxSize-1099), byte(id))
			complete[id] = true
			for _, p := range parts(t, sent[id], 300+rnd.IntN(700), uint32(id)) {
				if rnd.IntN(20) == 0 {
					complete[id] = false
					continue
				}
				for range 1 + rnd.IntN(8)/7 {
					flights = append(flights, flight{id, p})
				}
			}
		}
		rnd.Shuffle(len(flights), func(i, j int) { flights[i], flights[j] = flights[j], flights[i] })
		var r Reassembler
		now, got := start, map[int]bool{}
		for _, f := range flights {
			now = now.Add(time.Millisecond)
			b, _ := r.Add(alice, true, 0, f.wire, now)
			if b == nil {
				continue
			}
			if !bytes.Equal(b, sent[f.id]) {
				t.Fatalf("seed %d: datagram %d arrived changed", seed, f.id)
			}
			got[f.id] = true
		}
		for id := range sent {
			if got[id] != complete[id] {
				t.Errorf("seed %d: datagram %d: arrived %v, all its parts %v", seed, id, got[id], complete[id])
			}
		}
		if s := r.Stats(); s.Evicted > 0 || s.Malformed > 0 || s.Inconsistent > 0 || s.Parts != uint64(len(flights)) {
			t.Errorf("seed %d: %+v", seed, s)
		}
	}
}

func TestDuplicatesAndContradictionsAreDropped(t *testing.T) {
	var r Reassembler
	b := datagram(2000, 3)
	list := parts(t, b, 800, 5)
	add := func(p []byte) ([]byte, error) { return r.Add(alice, true, 0, p, start) }
	if _, err := add(list[0]); err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(list[0])
	other[Overhead]++
	if _, err := add(other); !errors.Is(err, ErrDuplicate) {
		t.Errorf("the same part with other bytes: %v", err)
	}
	for _, p := range [][]byte{parts(t, datagram(2001, 4), 800, 5)[1], parts(t, b, 600, 5)[1]} {
		if _, err := add(p); !errors.Is(err, ErrInconsistent) {
			t.Errorf("another datagram under the same id: %v", err)
		}
	}
	if got, err := r.Add(bob, true, 0, list[1], start); got != nil || err != nil {
		t.Errorf("a part from elsewhere: %v, %v", got, err)
	}
	if got, err := r.Add(alice, false, 0, list[1], start); got != nil || err != nil {
		t.Errorf("a part among strangers': %v, %v", got, err)
	}
	for i, p := range list[1:] {
		got, err := add(p)
		if err != nil || i == 1 && !bytes.Equal(got, b) {
			t.Errorf("the genuine part %d: %v", i+1, err)
		}
	}
	if s := r.Stats(); s.Duplicates != 1 || s.Inconsistent != 2 || s.Whole != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTheRestOfADatagramComesInTimeOrNotAtAll(t *testing.T) {
	list := parts(t, datagram(1500, 1), 1000, 9)
	for _, c := range []struct {
		wait time.Duration
		want bool
	}{{Timeout, true}, {Timeout + 1, false}} {
		var r Reassembler
		_, _ = r.Add(alice, true, 0, list[0], start)
		got, err := r.Add(alice, true, 0, list[1], start.Add(c.wait))
		if err != nil || (got != nil) != c.want || r.Stats().Expired > 0 == c.want {
			t.Errorf("after %v: %v, %v, %+v", c.wait, got != nil, err, r.Stats())
		}
	}
}

func TestMalformedPartsAreDropped(t *testing.T) {
	good := parts(t, datagram(1500, 1), 600, 9)[0]
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, b := range map[string][]byte{
		"empty": {}, "no header": good[:5], "no body": good[:Overhead],
		"cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0),
		"magic": change(0, 'G'), "version": change(1, 1), "index": change(6, 3),
		"no parts": change(7, 0), "one part": change(7, 1), "many parts": change(7, MaxParts+1),
		"too large": change(8, 0xff), "empty total": append(change(8, 0)[:9], 0, 1),
	} {
		var r Reassembler
		if got, err := r.Add(alice, true, 0, b, start); !errors.Is(err, ErrMalformed) || got != nil || r.Stats().Malformed != 1 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAFloodHurtsNobodyElse(t *testing.T) {
	var r Reassembler
	rnd := rand.New(rand.NewPCG(1, 1))
	flood := func(from netip.AddrPort, known bool) {
		_, _ = r.Add(from, known, 0, parts(t, datagram(2000, 0), 300, rnd.Uint32())[rnd.IntN(7)], start)
	}
	stranger := func() netip.AddrPort {
		var a [4]byte
		for i := range a {
			a[i] = byte(rnd.Uint32())
		}
		return netip.AddrPortFrom(netip.AddrFrom4(a), uint16(rnd.Uint32()))
	}
	for id := range uint32(50) {
		b := datagram(1500, byte(id))
		list := parts(t, b, 800, id)
		_, _ = r.Add(alice, true, 0, list[0], start)
		for range 200 {
			flood(stranger(), false)
			flood(bob, true)
			flood(alice, false)
		}
		if got, err := r.Add(alice, true, 0, list[1], start); !bytes.Equal(got, b) {
			t.Fatalf("datagram %d did not arrive: %v", id, err)
		}
	}
	if room := (len(r.known) + len(r.strange)) * MaxSize; room > 400_000 {
		t.Errorf("%d bytes in use", room)
	}
	if len(r.known) > placesKnown/share+1 {
		t.Errorf("one source had %d places", len(r.known))
	}
}

// Many known sources that leave everything unfinished do not keep another
// from its turn.
func TestAFullRoomMakesPlaceForWhoHasLeast(t *testing.T) {
	var r Reassembler
	p := func(id uint32) []byte { return parts(t, datagram(1500, 1), 800, id)[0] }
	for id := range uint32(placesKnown) {
		from := netip.AddrPortFrom(alice.Addr(), uint16(1000+id%share))
		_, _ = r.Add(from, true, 0, p(id), start.Add(time.Duration(id)))
	}
	b := datagram(1800, 9)
	list := parts(t, b, 700, 1)
	for i := range list {
		got, err := r.Add(bob, true, 0, list[i], start.Add(time.Millisecond))
		if err != nil || i == len(list)-1 && !bytes.Equal(got, b) {
			t.Errorf("part %d: %v, %v", i, got, err)
		}
	}
	if s := r.Stats(); s.Evicted != 1 || len(r.known) != placesKnown {
		t.Errorf("%d places, %+v", len(r.known), s)
	}
	left := 0
	for i := range r.known {
		if r.known[i].busy && r.known[i].from.Port() == 1000 {
			left++
		}
	}
	if left != placesKnown/share-1 {
		t.Errorf("the source with most and the oldest has %d places", left)
	}
}

// TestPartsInAnothersName: who knows two addresses sends parts between those
// of genuine datagrams, as many as there are places. Some still arrive.
func TestPartsInAnothersName(t *testing.T) {
	var r Reassembler
	rnd := rand.New(rand.NewPCG(2, 2))
	whole := 0
	for id := range uint32(300) {
		b := datagram(1500, byte(id))
		for _, p := range parts(t, b, 800, 1000+id) {
			if got, _ := r.Add(alice, true, 0, p, start); bytes.Equal(got, b) {
				whole++
			}
			for range placesKnown / share {
				_, _ = r.Add(alice, true, 0, parts(t, datagram(1500, 0), 800, rnd.Uint32())[0], start)
			}
		}
	}
	if whole < 70 {
		t.Errorf("%d of 300 arrived", whole)
	}
}

// TestCongestionOfAnyPart is the datagram's.
func TestCongestionOfAnyPart(t *testing.T) {
	for _, c := range []struct {
		marks [2]uint8
		want  uint8
	}{{[2]uint8{2, 2}, 2}, {[2]uint8{ce, 2}, ce}, {[2]uint8{2, ce}, ce}, {[2]uint8{0, 0}, 0}} {
		var r Reassembler
		for i, p := range parts(t, datagram(1500, 1), 800, 7) {
			_, _ = r.Add(alice, true, c.marks[i], p, start)
		}
		if r.Stats().Whole != 1 || r.ECN() != c.want {
			t.Errorf("%v: %d", c.marks, r.ECN())
		}
	}
}

func TestSteadyTrafficAllocatesNothing(t *testing.T) {
	var r Reassembler
	b, buf := datagram(1452, 1), make([]byte, 0, 1500)
	id := uint32(0)
	if got := testing.AllocsPerRun(100, func() {
		id++
		for i := range 2 {
			buf = Append(buf[:0], b, &key, id, i, 2)
			_, _ = r.Add(alice, true, 0, buf, start)
		}
	}); got != 0 || r.Stats().Whole != uint64(id) {
		t.Errorf("%v allocations, %+v", got, r.Stats())
	}
}

// TestWireForm holds the bytes: a change of them needs another version.
func TestWireForm(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5}
	for i, want := range []string{
		"4602010203040002" + "000598c6bfa1" + "010203",
		"4602010203040102" + "000547d95a89" + "0405",
	} {
		if got := hex.EncodeToString(Append(nil, b, &key, 0x01020304, i, 2)); got != want {
			t.Errorf("part %d: got %s, want %s", i, got, want)
		}
	}
}

// FuzzAdd lets a stranger send what he likes between the parts of a datagram.
func FuzzAdd(f *testing.F) {
	b := datagram(1999, 7)
	list := parts(f, b, 800, 77)
	for _, p := range list {
		f.Add(p, p, false)
	}
	f.Add([]byte("F\x02"), []byte{}, true)
	f.Fuzz(func(t *testing.T, one, two []byte, same bool) {
		var r Reassembler
		from := bob
		if same {
			from = alice
		}
		for i, p := range list {
			got, err := r.Add(alice, true, 0, p, start)
			if !same && (err != nil || i == len(list)-1 && !bytes.Equal(got, b)) {
				t.Fatalf("part %d: %v", i, err)
			}
			for _, x := range [][]byte{one, two} {
				got, err := r.Add(from, true, 0, x, start)
				if len(got) > MaxSize || err != nil && got != nil {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			}
		}
		if s := r.Stats(); s.Parts != uint64(3*len(list)) {
			t.Fatalf("%+v", s)
		}
	})
}

// FuzzRoundTrip splits what it is given.
func FuzzRoundTrip(f *testing.F) {
	f.Add(datagram(1500, 1), 576)
	f.Add(datagram(MaxSize, 1), 270)
	f.Add([]byte{}, -1)
	f.Fuzz(func(t *testing.T, b []byte, mtu int) {
		var r Reassembler
		var got []byte
		split := false
		err := Split(nil, b, mtu, &key, 1, func(p []byte) {
			if len(p) > mtu {
				t.Fatalf("a part of %d over %d", len(p), mtu)
			}
			if split = len(b) > mtu; split {
				got, _ = r.Add(alice, false, 0, p, start)
			}
		})
		if err == nil && split && !bytes.Equal(got, b) {
			t.Fatalf("%x became %x", b, got)
		}
	})
}

func BenchmarkAppendAndAdd(b *testing.B) {
	var r Reassembler
	d, buf := datagram(1452, 1), make([]byte, 0, 1500)
	id := uint32(0)
	b.SetBytes(int64(len(d)))
	b.ReportAllocs()
	for b.Loop() {
		id++
		for i := range 2 {
			buf = Append(buf[:0], d, &key, id, i, 2)
			_, _ = r.Add(alice, true, 0, buf, start)
		}
	}
}
