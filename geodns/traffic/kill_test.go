package traffic

import (
	"net/netip"
	"os"
	"testing"

	"landfall/geodns/keep/keeptest"
)

func TestKilledProcessLeavesAWholeFile(t *testing.T) {
	const networks = 2000
	keeptest.Kill(t, func(dir *os.Root, state int) error {
		weights := map[netip.Prefix]float64{}
		for n := range uint32(networks) {
			weights[netip.PrefixFrom(addr4(n<<8), 24)] = float64(state)
		}
		return Save(dir, "traffic", Of(weights))
	}, func(dir *os.Root, said int) {
		v, err := Load(dir, "traffic")
		if err != nil {
			t.Fatal(err)
		}
		state := v.Total() / networks
		if v.Len() != networks || state != float64(int(state)) || int(state) < said {
			t.Fatalf("%d networks in state %g; state %d was said to be kept", v.Len(), state, said)
		}
	})
}
