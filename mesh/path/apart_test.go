package path

import (
	"net/netip"
	"testing"
	"time"

	"landfall"
)

// TestBackupIsApart: the other address of the same machine is no second way
// where a relay is one: a blackhole on the way to a machine takes both.
func TestBackupIsApart(t *testing.T) {
	w := newNet(t, 3)
	_ = w
	_ = netip.Addr{}
	_ = landfall.NodeID("")
	_ = time.Second
}
