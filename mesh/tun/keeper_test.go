//go:build linux

package tun

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/fronttest"
)

// kept is a front whose device others may spoil.
func kept(t *testing.T) (f *Front, ns *namespace, log *journal) {
	t.Helper()
	ns, log = newNamespace(t), &journal{}
	cfg := config("a")
	cfg.inside, cfg.Log = ns.do, slog.New(slog.NewTextHandler(log, nil))
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, ns, log
}

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// ip is what an operator types.
func ip(ns *namespace, words string) error {
	return ns.do(func() error {
		if out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", words, err, out)
		}
		return nil
	})
}

// shown is what the kernel says of the device.
func shown(ns *namespace, name string) (s string) {
	_ = ns.do(func() error {
		for _, words := range []string{"link show dev ", "-6 addr show dev ", "-6 route show dev "} {
			out, err := exec.Command("ip", strings.Fields(words+name)...).CombinedOutput()
			s += fmt.Sprintln(string(out), err)
		}
		return nil
	})
	return s
}

// TestWhatIsTakenFromTheDeviceIsPutBack: a careless script costs a moment.
func TestWhatIsTakenFromTheDeviceIsPutBack(t *testing.T) {
	needRoot(t)
	for deed, want := range map[string]string{
		"link set lf-test down":                    "up, address, route",
		"-6 addr flush dev lf-test":                "address, route",
		"-6 route flush dev lf-test proto static":  "route",
		"link set lf-test mtu 9000":                "MTU",
		"link set lf-test mtu 1000":                "MTU, up, address, route",
		"-6 route replace fd00::/48 dev lf-test":   "",
		"-6 addr add 2001:db8::1/64 dev lf-test":   "",
		"-6 route add 2001:db8:9::/48 dev lf-test": "",
	} {
		t.Run(deed, func(t *testing.T) {
			f, ns, log := kept(t)
			before := shown(ns, f.Name())
			if err := ip(ns, deed); err != nil {
				t.Fatal(err)
			}
			if want == "" {
				if h := f.Health(); h.Mended != 0 || h.Err != nil {
					t.Errorf("%+v", h)
				}
				return
			}
			eventually(t, func() error {
				h := f.Health()
				if after := shown(ns, f.Name()); h.Mended == 0 || !strings.HasPrefix(h.What, want) || after != before {
					return fmt.Errorf("%+v\nbefore %s\nafter %s\n%v", h, before, after, log)
				}
				return nil
			})
			if s := log.String(); !strings.Contains(s, "level=WARN") || !strings.Contains(s, "device=lf-test") || strings.Count(s, "\n") > 3 {
				t.Errorf("the log has %q", s)
			}
		})
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, is func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	err := is()
	for err != nil && time.Now().Before(deadline) {
		<-time.After(10 * time.Millisecond)
		err = is()
	}
	if err != nil {
		t.Error(err)
	}
}

// TestStreamsSurviveALossOfTheAddress: those that are open, and new ones.
func TestStreamsSurviveALossOfTheAddress(t *testing.T) {
	needRoot(t)
	f, ns, _ := kept(t)
	a, b := fronttest.Side{Front: f, Addr: config("a").Addr}, side(t, "b", 0)
	fronttest.Join(t, a, b)
	arrived := make(collects, 8)
	if err := b.Front.Listen(9, func(s front.Stream) { s.Start(arrived) }); err != nil {
		t.Fatal(err)
	}
	open := func() front.Stream {
		s, err := f.Open(t.Context(), netip.AddrPortFrom(b.Addr, 9), landfall.Normal, []byte("x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	<-arrived
	if err := ip(ns, "link set lf-test down"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if f.Health().Mended == 0 {
			return errors.New("nothing was put back")
		}
		return nil
	})
	if _, err := s.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	<-arrived
	open()
	<-arrived
}

// collects is a sink that tells what it gets.
type collects chan string

func (c collects) Data(b []byte) int { c <- string(b); return len(b) }
func (c collects) EOF()              {}
func (c collects) Writable()         {}
func (c collects) Closed(error)      {}

// TestADeviceThatIsTakenAwayEndsTheFront: with an error that says which.
func TestADeviceThatIsTakenAwayEndsTheFront(t *testing.T) {
	needRoot(t)
	for deed, want := range map[string]string{
		"link del lf-test":             "device lf-test is gone",
		"link set lf-test name lf-odd": "device lf-test is gone",
	} {
		t.Run(deed, func(t *testing.T) {
			f, ns, _ := kept(t)
			ended := read(f)
			if err := errors.Join(ip(ns, "link set lf-test down"), ip(ns, deed)); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; errors.Is(err, os.ErrClosed) || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

// TestADeviceThatCannotBeMendedEndsTheFront: with the cure.
func TestADeviceThatCannotBeMendedEndsTheFront(t *testing.T) {
	needRoot(t)
	f, ns, _ := kept(t)
	ended := read(f)
	err := ns.do(func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/lf-test/disable_ipv6", []byte("1"), 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if f.Health().Err == nil {
			return errors.New("nothing is wrong")
		}
		return nil
	})
	if err := <-ended; !strings.Contains(fmt.Sprint(err), "disable_ipv6=0") {
		t.Errorf("it ends with %v", err)
	}
}

// read reads a front until it ends.
func read(f *Front) <-chan error {
	ended := make(chan error, 1)
	go func() {
		bufs, sizes := [][]byte{make([]byte, 1<<16)}, make([]int, 1)
		for {
			if _, err := f.Read(bufs, sizes, 16); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

// TestATugOfWarIsLeftAlone: each time that something has to be put back, what
// comes next waits longer.
func TestATugOfWarIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, pause := &keeper{}, mendPause
		var took []time.Duration
		for range 9 {
			start := time.Now()
			pause = k.rest(pause, nil)
			took = append(took, time.Since(start))
		}
		<-time.After(3 * mendRest)
		start := time.Now()
		k.rest(pause, nil)
		if !slices.IsSorted(took) || took[8] != mendRest || time.Since(start) != mendPause {
			t.Errorf("waits of %v, then of %v", took, time.Since(start))
		}
	})
}

func TestNewsOfOthersAreNotOurs(t *testing.T) {
	message := func(kind uint16, body ...byte) []byte {
		b := append(request(kind, 0), body...)
		b[0] = byte(len(b))
		return append(b, make([]byte, -len(b)&3)...)
	}
	link := message(16, 0, 0, 0, 0, 7, 0, 0, 0)
	route := message(25, 10, 48)
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"our link":         {link, true},
		"another link":     {message(16, 0, 0, 0, 0, 8, 0, 0, 0), false},
		"address added":    {message(20, 10, 128, 0, 0, 7, 0, 0, 0), false},
		"address taken":    {message(21, 10, 128, 0, 0, 7, 0, 0, 0), true},
		"route":            {route, true},
		"longer route":     {message(25, 10, 64), false},
		"IPv4":             {message(25, 2, 48), false},
		"behind another":   {append(message(25, 2, 48, 0), link...), true},
		"cut short":        {link[:len(link)-1], false},
		"nothing":          {nil, false},
		"size of no sense": {make([]byte, 64), false},
	} {
		if got := concerns(c.b, 7, 48); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzConcerns(f *testing.F) {
	f.Add([]byte{}, 7, 48)
	f.Add(append(request(16, 0), 0, 0, 0, 0, 7, 0, 0, 0), 7, 48)
	f.Fuzz(func(t *testing.T, b []byte, index, bits int) {
		if concerns(b, index, bits) && len(b) < 18 {
			t.Errorf("% x concerns us", b)
		}
	})
}
