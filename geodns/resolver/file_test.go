package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"landfall/geodns/keep/keeptest"
)

var epoch = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func root(t *testing.T) *os.Root {
	t.Helper()
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// learnt is a Book that knows some resolvers, each by the same fetches.
func learnt(resolvers int, weight float64) *Book {
	b := New()
	for r := range resolvers {
		for i := range 12 {
			b.add(netip.AddrFrom4([4]byte{10, 0, byte(r >> 8), byte(r)}), net24(0, i%6), three[i%3], weight, 0.5)
		}
	}
	return b
}

func TestWhatIsKnownOutlivesARestart(t *testing.T) {
	dir := root(t)
	before := learnt(3, 4)
	if err := before.Save(dir, "resolvers", epoch); err != nil {
		t.Fatal(err)
	}
	after := New()
	if err := after.Load(dir, "resolvers", epoch); err != nil {
		t.Fatal(err)
	}
	if x, y := fmt.Sprint(before.Freeze()), fmt.Sprint(after.Freeze()); x != y || before.Freeze().Len() != 3 {
		t.Errorf("before %s\nafter %s", x, y)
	}
	late := New()
	if err := late.Load(dir, "resolvers", epoch.Add(HalfLife)); err != nil {
		t.Fatal(err)
	}
	for r := range late.Freeze().All() {
		if math.Abs(r.Weight-24) > 0.01 {
			t.Errorf("%s weighs %g after a half-life, want 24", r.Addr, r.Weight)
		}
	}
	late.Tick(epoch.Add(2 * HalfLife))
	for r := range late.Freeze().All() {
		if math.Abs(r.Weight-12) > 0.01 {
			t.Errorf("%s weighs %g after two half-lives, want 12", r.Addr, r.Weight)
		}
	}
	if err := late.Load(dir, "resolvers", epoch.Add(-HalfLife)); err != nil || late.Freeze().Len() != 3 {
		t.Errorf("a file of the future: %v", err)
	}
}

const file = `landfall-resolvers 1 2026-01-02T15:04:05Z
192.0.2.53 198.51.100.0/24 fra1 3.25
192.0.2.53 198.51.101.0/24 nyc1 1
2001:db8::53 2001:db8:1::/48 fra1 2
end 3
`

func TestDamagedFileTeachesNothing(t *testing.T) {
	dir := root(t)
	if err := New().Load(dir, "resolvers", epoch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, c := range []struct{ old, new, want string }{
		{file, "", "the file is empty"},
		{"landfall-resolvers 1", "landfall-resolvers 2", "line 1: want"},
		{"2026-01-02", "yesterday", "line 1: want"},
		{"end 3\n", "", "ends too early"},
		{"end 3", "end 4", "line 5: the end says"},
		{"end 3", "end 3\nend 3", "nothing may come after"},
		{"192.0.2.53 198.51.101.0/24 nyc1 1\n", "", "line 4: the end says"},
		{" fra1 3.25", " 3.25", "line 2: 3 words"},
		{"192.0.2.53 198.51.100", "x 198.51.100", "line 2: \"x\" is not the address"},
		{"192.0.2.53 198.51.100", "::ffff:192.0.2.53 198.51.100", "is not the address"},
		{"198.51.100.0/24", "198.51.100.0/25", "is not an IPv4 /24"},
		{"2001:db8:1::/48", "2001:db8::/32", "line 4: "},
		{"3.25", "NaN", "is not a count"},
		{"3.25", "-3", "is not a count"},
		{"3.25", "1e300", "is not a count"},
		{"198.51.101.0/24 nyc1", "198.51.100.0/24 fra1", "line 3: network 198.51.100.0/24 by edge fra1 is out of order"},
		{" fra1 3.25", "  3.25", "is not the name of an edge"},
		{" fra1 3.25", strings.Repeat("x", 1<<17), "too early"},
	} {
		text := strings.Replace(file, c.old, c.new, 1)
		if err := dir.WriteFile("resolvers", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := learnt(1, 4)
		before := fmt.Sprint(b.Freeze())
		err := b.Load(dir, "resolvers", epoch)
		if err == nil || !strings.Contains(err.Error(), "clients of resolvers in resolvers: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.30q for %.30q: %v, want %q", c.new, c.old, err, c.want)
		}
		if fmt.Sprint(b.Freeze()) != before {
			t.Errorf("%.30q for %.30q: something was learnt", c.new, c.old)
		}
	}
}

func TestFileThatHoldsTooMuchIsRefused(t *testing.T) {
	var many, wide strings.Builder
	many.WriteString(magic + "2026-01-02T15:04:05Z\n")
	wide.WriteString(magic + "2026-01-02T15:04:05Z\n")
	for i := range maxResolvers + 1 {
		fmt.Fprintf(&many, "10.0.%d.%d 198.51.100.0/24 fra1 1\n", i>>8, i&255)
	}
	for i := range maxCells + 1 {
		fmt.Fprintf(&wide, "10.0.0.1 198.%d.%d.0/24 fra1 1\n", i>>8, i&255)
	}
	if _, _, err := read(strings.NewReader(many.String())); err == nil || !strings.Contains(err.Error(), "more than 4096 resolvers") {
		t.Errorf("got %v", err)
	}
	if _, _, err := read(strings.NewReader(wide.String())); err == nil || !strings.Contains(err.Error(), "more than 256 networks behind resolver 10.0.0.1") {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte(strings.Replace(file, "end 3", "end 4", 1)))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		known, when, err := read(bytes.NewReader(b))
		if err != nil {
			return
		}
		book := New()
		book.known = known
		book.Freeze()
		values := map[netip.Addr]picture{}
		for a, p := range known {
			values[a] = *p
		}
		var text bytes.Buffer
		if err := write(&text, values, when); err != nil {
			t.Fatal(err)
		}
		again, _, err := read(&text)
		if err != nil || len(again) != len(known) {
			t.Fatalf("%d resolvers, %v after writing %d", len(again), err, len(known))
		}
		book.age(HalfLife)
	})
}

func TestKilledProcessLeavesAWholeFile(t *testing.T) {
	keeptest.Kill(t, func(dir *os.Root, state int) error {
		return learnt(200, float64(state)).Save(dir, "resolvers", epoch)
	}, func(dir *os.Root, said int) {
		b := New()
		if err := b.Load(dir, "resolvers", epoch); err != nil {
			t.Fatal(err)
		}
		v := b.Freeze()
		if v.Len() != 200 {
			t.Fatalf("%d resolvers, want 200", v.Len())
		}
		for r := range v.All() {
			if state := r.Weight / 12; state != math.Trunc(state) || int(state) < said {
				t.Fatalf("%s is of state %g; state %d was said to be kept", r.Addr, state, said)
			}
		}
	})
}
