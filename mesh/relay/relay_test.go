package relay

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"landfall"
)

// nodes are three that know each other; always the same, for the processes of
// a fuzz run must agree about them.
type nodes struct {
	key  [3]landfall.PublicKey
	keys [3][3]Keys // [self][peer]
}

func threeNodes(t testing.TB) *nodes {
	t.Helper()
	var priv [3]landfall.PrivateKey
	n := new(nodes)
	for i, text := range []string{
		"wg-key:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
		"wg-key:ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
		"wg-key:QEECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
	} {
		k, err := landfall.ParsePrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		priv[i], n.key[i] = k, k.Public()
	}
	for self := range priv {
		for peer := range priv {
			secret, err := priv[self].Shared(n.key[peer])
			if err != nil {
				t.Fatal(err)
			}
			if n.keys[self][peer], err = NewKeys(secret, n.key[self], n.key[peer]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

func (n *nodes) name(i int) Name { return NameOf("test", n.key[i]) }

func TestADatagramGoesThroughAThirdNode(t *testing.T) {
	n := threeNodes(t)
	const source, middle, dest = 0, 1, 2
	for _, size := range []int{1, 32, 148, 1452, usual, usual + 1, 4000} {
		payload := bytes.Repeat([]byte{4, byte(size), 7}, size)[:size]
		frame := n.keys[source][middle].SealAppend(nil, First, n.name(dest), payload)
		if len(frame) != size+Overhead || !Is(frame) {
			t.Fatalf("%d bytes became a frame of %d", size, len(frame))
		}
		if id, err := Peek(frame); err != nil || id != n.keys[middle][source].From(First) {
			t.Fatalf("the relay does not know the frame: %v", err)
		}
		hop, far, got, err := n.keys[middle][source].Open(frame)
		if err != nil || hop != First || far != n.name(dest) || !bytes.Equal(got, payload) {
			t.Fatalf("the relay opened hop %d for %x: %v", hop, far, err)
		}
		n.keys[middle][dest].Seal(frame, Second, n.name(source))
		hop, far, got, err = n.keys[dest][middle].Open(frame)
		if err != nil || hop != Second || far != n.name(source) || !bytes.Equal(got, payload) {
			t.Fatalf("the destination opened hop %d from %x: %v", hop, far, err)
		}
	}
}

func TestFramesGoOneWayAndOneHop(t *testing.T) {
	n := threeNodes(t)
	for _, hop := range []Hop{First, Second} {
		frame := n.keys[0][1].SealAppend(nil, hop, n.name(2), []byte{1, 2, 3})
		if _, _, _, err := n.keys[0][1].Open(frame); !errors.Is(err, ErrForged) {
			t.Errorf("turned back on its sender: %v", err)
		}
		for _, other := range []*Keys{&n.keys[2][1], &n.keys[1][2], &n.keys[2][0]} {
			if _, _, _, err := other.Open(frame); !errors.Is(err, ErrForged) {
				t.Errorf("opened by a stranger: %v", err)
			}
		}
		copy(frame[idAt:], n.keys[0][1].seal[2-hop].id[:])
		if _, _, _, err := n.keys[1][0].Open(frame); !errors.Is(err, ErrForged) {
			t.Errorf("hop %d passed for the other: %v", hop, err)
		}
	}
	ids := map[ID]bool{}
	for self := range n.keys {
		for peer := range n.keys {
			if self != peer {
				ids[n.keys[self][peer].From(First)], ids[n.keys[self][peer].From(Second)] = true, true
			}
		}
	}
	if len(ids) != 12 {
		t.Errorf("three nodes have %d ids, want 12", len(ids))
	}
}

func TestEveryBitIsAuthenticated(t *testing.T) {
	n := threeNodes(t)
	for _, size := range []int{1, 100, usual + 1} {
		frame := n.keys[0][1].SealAppend(nil, First, n.name(2), make([]byte, size))
		for i := range len(frame) * 8 {
			frame[i/8] ^= 1 << (i % 8)
			if _, _, _, err := n.keys[1][0].Open(frame); err == nil {
				t.Fatalf("bit %d of %d bytes flipped: opened", i, len(frame))
			}
			frame[i/8] ^= 1 << (i % 8)
		}
		for cut := range frame {
			if _, _, _, err := n.keys[1][0].Open(frame[:cut]); err == nil {
				t.Fatalf("cut to %d bytes: opened", cut)
			}
		}
		if _, _, _, err := n.keys[1][0].Open(append(frame, 0)); err == nil {
			t.Fatal("a byte longer: opened")
		}
	}
}

func TestSealAppendLetsThePayloadStandAnywhere(t *testing.T) {
	n := threeNodes(t)
	payload := []byte("0123456789 a payload that is longer than the header of a frame")
	want := n.keys[0][1].SealAppend(nil, First, n.name(2), payload)
	for _, size := range []int{len(payload), len(payload) + 1, len(payload) + Overhead, 2 * (len(payload) + Overhead)} {
		for at := range size - len(payload) + 1 {
			buf := make([]byte, size)
			copy(buf[at:], payload)
			got := n.keys[0][1].SealAppend(buf[:0], First, n.name(2), buf[at:at+len(payload)])
			if !bytes.Equal(got, want) {
				t.Fatalf("payload at %d of %d: got %x, want %x", at, size, got, want)
			}
		}
	}
	got := n.keys[0][1].SealAppend([]byte("before"), First, n.name(2), payload)
	if string(got[:6]) != "before" || !bytes.Equal(got[6:], want) {
		t.Errorf("appended %x", got)
	}
}

func TestTheMACIsHMAC(t *testing.T) {
	key := [32]byte{1, 2, 3, 31: 9}
	for size := range usual + 5 {
		frame := make([]byte, Overhead+size)
		for i := range frame {
			frame[i] = byte(i * 7)
		}
		h := hmac.New(sha256.New, key[:])
		h.Write(frame[:macAt])
		h.Write(frame[Overhead:])
		if got := sum(&key, frame); !bytes.Equal(got[:], h.Sum(nil)[:macSize]) {
			t.Fatalf("%d bytes: %x", size, got)
		}
	}
}

func TestSealingAllocatesNothing(t *testing.T) {
	n := threeNodes(t)
	buf, payload := make([]byte, 0, 2048), make([]byte, 1400)
	far := n.name(2)
	if got := testing.AllocsPerRun(100, func() {
		frame := n.keys[0][1].SealAppend(buf, First, far, payload)
		if _, _, _, err := n.keys[1][0].Open(frame); err != nil {
			t.Error(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestNamesDependOnNetworkAndKey(t *testing.T) {
	n := threeNodes(t)
	if NameOf("a", n.key[0]) == NameOf("b", n.key[0]) || n.name(0) == n.name(1) {
		t.Error("names do not tell nodes or networks apart")
	}
}

func TestDerivedKeysAreOfAPairADirectionAndALabel(t *testing.T) {
	n := threeNodes(t)
	seen := map[[16]byte]bool{}
	for _, label := range []string{"one", "two"} {
		for self := range n.keys {
			for peer := range n.keys {
				if self == peer {
					continue
				}
				seal, open, err := n.keys[self][peer].Derive(label)
				_, there, again := n.keys[peer][self].Derive(label)
				if err != nil || again != nil || seal != there || seal == open {
					t.Errorf("%d to %d: %x and %x, %x there: %v, %v", self, peer, seal, open, there, err, again)
				}
				seen[seal] = true
			}
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d keys, want 12", len(seen))
	}
}

// TestWireForm holds the bytes: a change of them needs another version.
func TestWireForm(t *testing.T) {
	n := threeNodes(t)
	for hop, want := range map[Hop]string{
		First:  "5201dfc9ef6f386b51496bd072ef566fd1f999612b096da6960e88c7d0aa3c7a39430400000005",
		Second: "520135d17e7cdf75e5f36bd072ef566fd1f96ec62ce0643c6a520dfb0c146c8213200400000005",
	} {
		if got := hex.EncodeToString(n.keys[0][1].SealAppend(nil, hop, n.name(2), []byte{4, 0, 0, 0, 5})); got != want {
			t.Errorf("hop %d\n got %s\nwant %s", hop, got, want)
		}
	}
}

// FuzzOpen gives the parser anything, and anything as what the peer
// authenticated.
func FuzzOpen(f *testing.F) {
	n := threeNodes(f)
	f.Add(n.keys[0][1].SealAppend(nil, First, n.name(2), []byte{1, 2, 3}), false)
	f.Add(n.keys[0][1].SealAppend(nil, Second, n.name(2), make([]byte, 1400)), true)
	f.Add([]byte{}, false)
	f.Add([]byte("R\x01"), true)
	f.Fuzz(func(t *testing.T, b []byte, genuine bool) {
		if genuine && len(b) >= Overhead {
			n.keys[0][1].Seal(b, First, Name(b[farAt:]))
		}
		id, peekErr := Peek(b)
		hop, far, payload, err := n.keys[1][0].Open(b)
		if err != nil {
			if genuine && len(b) > Overhead {
				t.Fatalf("refused what the peer sealed: %v", err)
			}
			return
		}
		if peekErr != nil || id != n.keys[1][0].From(hop) {
			t.Fatalf("opened what peek refuses: %v, %v", id, peekErr)
		}
		if again := n.keys[0][1].SealAppend(nil, hop, far, payload); !bytes.Equal(again, b) {
			t.Fatalf("opened %x, which seals as %x", b, again)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	n := threeNodes(b)
	frame := n.keys[0][1].SealAppend(nil, First, n.name(2), make([]byte, 1400))
	b.SetBytes(1400)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := n.keys[1][0].Open(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealAppend(b *testing.B) {
	n := threeNodes(b)
	buf, payload := make([]byte, 0, 2048), make([]byte, 1400)
	far := n.name(2)
	b.SetBytes(1400)
	b.ReportAllocs()
	for b.Loop() {
		n.keys[0][1].SealAppend(buf, First, far, payload)
	}
}
