package mesh

import (
	"errors"
	"os"
	"testing"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/netstack"
)

// deafFront loses what comes from the mesh, as a firewall may.
type deafFront struct{ front.Front }

func (d deafFront) Write(bufs [][]byte, offset int) (int, error) { return len(bufs), nil }

func TestKnockFindsFirewalls(t *testing.T) {
	addr := landfall.MeshAddr("test", "a")
	for _, deaf := range []bool{false, true} {
		f, err := netstack.New(netstack.Config{Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		var under front.Front = f
		if deaf {
			under = deafFront{f}
		}
		if err := knock(under, addr, 6*knockEvery); errors.Is(err, errUnheard) != deaf || !deaf && err != nil {
			t.Errorf("firewall %v: %v", deaf, err)
		}
		if !deaf {
			if err := f.Listen(firstPort, func(front.Stream) {}); err != nil {
				t.Errorf("the port is not free again: %v", err)
			}
		}
		if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
}

func TestKnockTellsAnswersApart(t *testing.T) {
	addr := landfall.MeshAddr("test", "a")
	for _, p := range [][]byte{nil, make([]byte, 60), make([]byte, 2000)} {
		if opens(p, addr) {
			t.Errorf("%d zeros are an answer", len(p))
		}
	}
}

func FuzzOpens(f *testing.F) {
	f.Add([]byte{})
	f.Add(append([]byte{6 << 4, 0, 0, 0, 0, 20, 6, 64}, make([]byte, 52)...))
	addr := landfall.MeshAddr("test", "a")
	f.Fuzz(func(t *testing.T, p []byte) {
		if opens(p, addr) && (len(p) < 60 || p[53]&flagSYN == 0) {
			t.Errorf("% x is taken for an answer", p)
		}
	})
}
