package traffic

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A process that keeps its counts again and again is killed at random moments:
// what is on disk is always one whole state, and none older than it said.
func TestKilledProcessLeavesAWholeFile(t *testing.T) {
	if dir := os.Getenv("TRAFFIC_TEST_DIR"); dir != "" {
		saveForEver(dir)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	rounds := 10
	if os.Getenv("LANDFALL_SOAK") != "" {
		rounds = 300
	}
	dir := root(t)
	for range rounds {
		said := killedRound(t, dir.Name())
		v, err := Load(dir, "traffic")
		if err != nil {
			t.Fatal(err)
		}
		state := v.Total() / networks
		if v.Len() != networks || state != float64(int(state)) || int(state) < said {
			t.Fatalf("%d networks in state %g; state %d was said to be kept", v.Len(), state, said)
		}
	}
}

const networks = 2000

// saveForEver keeps state after state, each with the same networks.
func saveForEver(path string) {
	dir, err := os.OpenRoot(path)
	for i := 1; err == nil; i++ {
		weights := map[netip.Prefix]float64{}
		for n := range uint32(networks) {
			weights[netip.PrefixFrom(addr4(n<<8), 24)] = float64(i)
		}
		if err = Save(dir, "traffic", Of(weights)); err == nil {
			fmt.Println("KEPT", i)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// killedRound kills a process that keeps states, some time after the first,
// and returns the last that it said to have kept.
func killedRound(t *testing.T, dir string) (said int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLeavesAWholeFile$")
	cmd.Env = append(os.Environ(), "TRAFFIC_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	kill := func() { cmd.Process.Kill() }
	defer time.AfterFunc(time.Minute, kill).Stop() // should it never speak
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, ok := strings.CutPrefix(lines.Text(), "KEPT ")
		if !ok {
			t.Fatalf("the process says %q", lines.Text())
		}
		if said == 0 {
			defer time.AfterFunc(time.Duration(rand.IntN(50_000))*time.Microsecond, kill).Stop()
		}
		if said, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	if said == 0 {
		t.Fatal("the process kept nothing")
	}
	return said
}
