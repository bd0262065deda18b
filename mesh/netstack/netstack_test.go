package netstack

import (
	"testing"
	"time"

	"landfall"
	"landfall/mesh/fronttest"
)

func sides(t testing.TB, timeout time.Duration) (a, b fronttest.Side) {
	return side(t, "a", Config{Timeout: timeout}), side(t, "b", Config{Timeout: timeout})
}

func side(t testing.TB, id landfall.NodeID, cfg Config) fronttest.Side {
	t.Helper()
	cfg.Addr = landfall.MeshAddr("test", id)
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return fronttest.Side{Front: f, Addr: cfg.Addr}
}

func TestFront(t *testing.T) { fronttest.Run(t, sides) }
