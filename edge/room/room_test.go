package room

import (
	"math"
	"math/rand/v2"
	"net"
	"testing"
	"testing/fstest"
	"time"
)

func TestPlanAddsUp(t *testing.T) {
	for _, c := range []struct {
		files, memory uint64
		want          Plan
	}{
		{512, 1 << 30, Plan{128, 16, 128, 64, 16384}},
		{1 << 20, 256 << 20, Plan{2048, 256, 262144, 131072, 4096}}, // the smallest edge
		{65536, 8 << 30, Plan{16384, 2048, 16384, 8192, 131072}},
		{math.MaxUint64, math.MaxUint64, Plan{32768, 4096, math.MaxInt32, math.MaxInt32, math.MaxInt32}},
		{0, 0, Plan{1, 1, 1, 1, 1}},
	} {
		p := Of(c.files, c.memory)
		if p != c.want {
			t.Errorf("%d files and %d octets: %+v, want %+v", c.files, c.memory, p, c.want)
		}
		if sum := uint64(p.Clients + p.Redirects + p.Upstreams + p.Streams); c.files > 100 && sum > c.files-c.files/4 {
			t.Errorf("%d files: %d are for clients and upstreams, less than a quarter is left", c.files, sum)
		}
		// One address may have half; an idle HTTP/2 connection was measured at 31 KiB.
		if c.memory > 1<<20 && uint64(p.Clients/2)*2*31<<10 > c.memory/2 {
			t.Errorf("%d octets of memory: one address may fill half of them", c.memory)
		}
	}
	if p := Here(); p.Clients < 1 || p.Clients > mostClients || p.Peers < 1 {
		t.Errorf("here: %+v", p)
	}
}

func TestMemoryIsTheLeastOfAllLimits(t *testing.T) {
	type files map[string]string
	const meminfo = "MemFree: 1 kB\nMemTotal:  1048576 kB\nMemAvailable: 5 kB\n"
	for _, c := range []struct {
		name  string
		files files
		want  uint64
	}{
		{"nothing", files{}, math.MaxUint64},
		{"garbage", files{"proc/meminfo": "MemTotal:\nMemTotal: many kB\n", "proc/self/cgroup": "0\n:\n::::\n"}, math.MaxUint64},
		{"a machine", files{"proc/meminfo": meminfo}, 1 << 30},
		{"a unit", files{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/landfall.service\n",
			"sys/fs/cgroup/system.slice/landfall.service/memory.max": "268435456\n"}, 256 << 20},
		{"a unit that is slowed first", files{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "268435456\n", "sys/fs/cgroup/a/memory.high": "134217728\n"}, 128 << 20},
		{"a slice", files{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a.slice/b\n",
			"sys/fs/cgroup/a.slice/b/memory.max": "max\n", "sys/fs/cgroup/a.slice/memory.max": "536870912\n"}, 512 << 20},
		{"a container", files{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		{"version 1", files{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n0::/\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "536870912\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 512 << 20},
	} {
		root := fstest.MapFS{}
		for name, data := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(data)}
		}
		if got := Memory(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSharesLeaveRoomForOthers(t *testing.T) {
	s := Shares[string]{All: 100}
	got := map[string]int{}
	for _, who := range []string{"a", "b", "c"} {
		for s.Take(who) {
			got[who]++
		}
	}
	if got["a"] != 50 || got["b"] != 25 || got["c"] == 0 {
		t.Errorf("%v", got)
	}
	for who, n := range got {
		for range n {
			s.Give(who)
		}
	}
	if s.Taken() != 0 || len(s.held) != 0 {
		t.Errorf("%d taken, %d holders", s.Taken(), len(s.held))
	}
	few := Shares[string]{All: 1000, Each: 3}
	for range 10 {
		few.Take("a")
	}
	if few.Taken() != 3 || !few.Take("b") {
		t.Errorf("%d taken of three each", few.Taken())
	}
	if one := (Shares[string]{All: 1}); !one.Take("a") || one.Take("b") {
		t.Error("a single place is not for one")
	}
}

func TestSharesKeepTheirBooks(t *testing.T) {
	s, rng, held := Shares[int]{All: 50}, rand.New(rand.NewPCG(1, 2)), map[int]int{}
	sum := 0
	for range 10000 {
		k := rng.IntN(7)
		if rng.IntN(5) < 3 {
			if s.Take(k) {
				held[k]++
				sum++
			}
		} else if held[k] > 0 {
			s.Give(k)
			held[k]--
			sum--
		}
		if s.Taken() != sum || sum > 50 || s.held[k] != held[k] {
			t.Fatalf("%d taken, %d counted; of %d: %d, %d", s.Taken(), sum, k, s.held[k], held[k])
		}
	}
}

func TestPlaceIsGivenBackOnce(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	given := 0
	h := Hold(a, func() { given++ })
	if h.SetLinger(0) != nil || h.CloseWrite() != nil { // a pipe has neither
		t.Error("refused")
	}
	h.Close()
	h.Close()
	if given != 1 {
		t.Errorf("given back %d times", given)
	}
}

func TestSeldomTellsOnceAMinute(t *testing.T) {
	var s Seldom
	now, told, all := time.Now(), 0, uint64(0)
	for range 300 {
		if n := s.Count(now); n > 0 {
			told++
			all += n
		}
		now = now.Add(time.Second)
	}
	if told != 5 || all != 241 {
		t.Errorf("told %d times, of %d", told, all)
	}
}
