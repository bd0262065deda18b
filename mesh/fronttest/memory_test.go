package fronttest_test

import (
	"testing"
	"time"

	"landfall"
	"landfall/mesh/fronttest"
)

func TestMemoryIsAFront(t *testing.T) {
	fronttest.RunStreams(t, func(t testing.TB, _ time.Duration) (a, b fronttest.Side) {
		m := fronttest.NewMemory(0)
		a.Addr, b.Addr = landfall.MeshAddr("test", "a"), landfall.MeshAddr("test", "b")
		a.Front, b.Front = m.Front(a.Addr), m.Front(b.Addr)
		return a, b
	})
}
