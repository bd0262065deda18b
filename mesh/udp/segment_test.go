package udp

import (
	"math/rand/v2"
	"testing"
)

func sized(sizes ...int) (bufs [][]byte) {
	for _, n := range sizes {
		bufs = append(bufs, make([]byte, n))
	}
	return bufs
}

func repeat(size, n int) (sizes []int) {
	for range n {
		sizes = append(sizes, size)
	}
	return sizes
}

func TestRunsAreOfOneSizeButTheLast(t *testing.T) {
	for _, tt := range []struct {
		sizes []int
		want  int
	}{
		{[]int{5}, 1},
		{[]int{0, 0}, 1},
		{[]int{5, 0, 5}, 1},
		{[]int{5, 6}, 1},
		{[]int{5, 4, 5}, 2},
		{[]int{5, 5, 5, 1, 1}, 4},
		{repeat(100, 200), 64},
		{repeat(1420, 64), 46}, // 46 x 1420 = 65320
		{repeat(40000, 2), 1},
		{[]int{65000, 507}, 2},
		{[]int{65000, 508}, 1},
		{repeat(70000, 3), 1}, // the kernel refuses each by itself
	} {
		if got := run(sized(tt.sizes...)); got != tt.want {
			t.Errorf("%v begin with a run of %d, want %d", tt.sizes, got, tt.want)
		}
	}
}

// What a kernel asks of a message that it is to split holds for every run.
func TestRunsAreWhatTheKernelSplits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		bufs := sized(lengths(r, 1+r.IntN(150))...)
		for len(bufs) > 0 {
			n, total := run(bufs), 0
			for i, b := range bufs[:n] {
				total += len(b)
				if n > 1 && (len(b) == 0 || len(b) > len(bufs[0]) || i < n-1 && len(b) != len(bufs[0])) {
					t.Fatalf("datagram %d of %d has %d bytes after %d", i, n, len(b), len(bufs[0]))
				}
			}
			if n < 1 || n > maxSegments || n > 1 && total > maxPayload {
				t.Fatalf("a run of %d, together %d bytes", n, total)
			}
			bufs = bufs[n:]
		}
	}
}

func TestKernelsThatMangleWhatTheySplit(t *testing.T) {
	for release, want := range map[string]bool{
		"6.18.44-fc-v657":   false,
		"6.99.0":            false,
		"7.0.0":             true,
		"7.0.0-rc1":         true,
		"7.0":               true,
		"7":                 true,
		"7.0.2-6-pve":       true,
		"7.0.14+":           true,
		"7.1.0-rc4":         true,
		"7.1.4":             true,
		"7.1.4-amd64":       true,
		"7.1.5":             false,
		"7.1.40":            false,
		"7.1.10.3":          false,
		"7.2.0":             false,
		"7.10.1":            false,
		"70.1.1":            false,
		"17.0.1":            false,
		"5.10.0-7.0.1":      false,
		"":                  false,
		"7.1.99999999999":   false,
		"..7":               false,
		"unknown":           false,
		"4.4.0-19041-Win10": false,
	} {
		if got := mangles(release); got != want {
			t.Errorf("%q: %t, want %t", release, got, want)
		}
	}
}
