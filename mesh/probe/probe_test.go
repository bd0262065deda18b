package probe

import (
	"errors"
	"math/rand/v2"
	"testing"

	"landfall"
)

// twoNodes are the keys of both ends of a pair, and of a third node.
func twoNodes(t testing.TB) (a, b, stranger Keys) {
	t.Helper()
	// Always the same: the processes of a fuzz run must agree about them.
	var priv [3]landfall.PrivateKey
	for i, text := range []string{
		"wg-key:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
		"wg-key:ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
		"wg-key:QEECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
	} {
		k, err := landfall.ParsePrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		priv[i] = k
	}
	make := func(self, peer int) Keys {
		secret, err := priv[self].Shared(priv[peer].Public())
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewKeys(secret, priv[self].Public(), priv[peer].Public())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	return make(0, 1), make(1, 0), make(2, 1)
}

func TestOnlyThePeerOpensAProbe(t *testing.T) {
	a, b, stranger := twoNodes(t)
	for _, m := range []Message{
		{Kind: Ping, Stamp: 1},
		{Kind: Pong, Stamp: 1 << 62, Initiate: true, Pass: 1<<63 + 5},
	} {
		wire := a.Seal(m)
		got, err := b.Open(wire[:])
		if err != nil || got != m {
			t.Errorf("sealed %v, opened %v, %v", m, got, err)
		}
		if id, err := Peek(wire[:]); err != nil || id != b.From {
			t.Errorf("peek: %v, %v", id, err)
		}
		if _, err := a.Open(wire[:]); !errors.Is(err, ErrForged) {
			t.Errorf("turned back on its sender: %v", err)
		}
		if _, err := stranger.Open(wire[:]); !errors.Is(err, ErrForged) {
			t.Errorf("a stranger opened it: %v", err)
		}
	}
}

func TestEveryBitIsAuthenticated(t *testing.T) {
	a, b, _ := twoNodes(t)
	wire := a.Seal(Message{Kind: Ping, Stamp: 12345, Initiate: true})
	for i := range len(wire) * 8 {
		bad := wire
		bad[i/8] ^= 1 << (i % 8)
		if m, err := b.Open(bad[:]); err == nil {
			t.Errorf("bit %d flipped: opened %v", i, m)
		}
	}
}

func TestProbesAreNotWireGuard(t *testing.T) {
	a, _, _ := twoNodes(t)
	wire := a.Seal(Message{Kind: Ping, Stamp: 1})
	if wire[0] >= 1 && wire[0] <= 4 {
		t.Errorf("first byte %d is one of WireGuard's", wire[0])
	}
}

func TestWindowHearsEachStampOnce(t *testing.T) {
	w := NewWindow(7)
	heard := map[int64]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for now := int64(1); now < 5000; now++ {
		for range 3 {
			s := max(1, now-r.Int64N(12)) // overtaken by up to a dozen
			fresh := w.Fresh(Message{Stamp: s, Pass: 7})
			if fresh == heard[s] && (fresh || now-s < 30) {
				t.Fatalf("stamp %d at %d: fresh %v, heard before %v", s, now, fresh, heard[s])
			}
			heard[s] = true
		}
	}
	if w.Fresh(Message{Stamp: 4000, Pass: 7}) {
		t.Error("a stamp from long ago is fresh")
	}
}

func TestWindowWantsItsPass(t *testing.T) {
	w := NewWindow(7)
	for _, pass := range []uint64{0, 6, 8} {
		if w.Fresh(Message{Stamp: 1000, Pass: pass}) {
			t.Errorf("pass %d was believed", pass)
		}
	}
	if !w.Fresh(Message{Stamp: 1000, Pass: 7}) {
		t.Error("the right pass was not believed, after wrong ones")
	}
}

func FuzzOpen(f *testing.F) {
	a, b, _ := twoNodes(f)
	ping, pong := a.Seal(Message{Kind: Ping, Stamp: 77}), a.Seal(Message{Kind: Pong, Stamp: 1, Initiate: true})
	f.Add(ping[:])
	f.Add(pong[:])
	f.Add([]byte{})
	f.Add([]byte("L\x01\x01\x00"))
	f.Add(make([]byte, Size))
	f.Fuzz(func(t *testing.T, wire []byte) {
		id, err := Peek(wire)
		m, openErr := b.Open(wire)
		if openErr != nil {
			return
		}
		if err != nil || id != b.From {
			t.Fatalf("opened what peek refuses: %v, %v", id, err)
		}
		if again := a.Seal(m); string(again[:]) != string(wire) && string(wire) != string(ping[:]) && string(wire) != string(pong[:]) {
			t.Fatalf("opened %x as %v, which seals as %x", wire, m, again)
		}
	})
}
