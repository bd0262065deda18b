package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
)

const sample = `# address or prefix, queries
192.0.2.77            # one query
192.0.2.0/25 4
192.0.2.128 2.5
::ffff:192.0.2.1 1
198.51.0.0/16   1000

2001:db8::/32 7
2001:db8:0:1::/64 3
2001:db8:0:2::5
::ffff:203.0.113.0/120 9
203.0.114.1 0
`

func collect(v *View) map[string]float64 {
	out := map[string]float64{}
	for p, w := range v.All() {
		out[p.String()] = w
	}
	return out
}

func TestLogIsReadByNetwork(t *testing.T) {
	v, err := Read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"192.0.2.0/24": 8.5, "198.51.0.0/16": 1000, "2001:db8::/32": 7, "2001:db8::/48": 4, "203.0.113.0/24": 9,
	}
	if got := collect(v); !maps.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	var b bytes.Buffer
	if err := Write(&b, v); err != nil {
		t.Fatal(err)
	}
	again, err := Read(&b)
	if err != nil || !maps.Equal(collect(again), want) || again.Total() != v.Total() {
		t.Errorf("written and read again: %v, %v", collect(again), err)
	}
}

func TestLogNamesTheLinesAtFault(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"fra1 3", `"fra1" is neither an address nor a prefix: want such as 192.0.2.1 or 192.0.2.0/24`},
		{"192.0.2.0/33 3", `"192.0.2.0/33" is neither`},
		{"192.0.2.1/24 3", "prefix 192.0.2.1/24 has bits set behind its length: want 192.0.2.0/24"},
		{"::ffff:0:0/90 3", "want a length of 96 or more"},
		{"192.0.2.1 many", `count "many" is not a number from 0 to 1e+15`},
		{"192.0.2.1 -1", `count "-1"`},
		{"192.0.2.1 NaN", `count "NaN"`},
		{"192.0.2.1 1e300", `count "1e300"`},
		{"192.0.2.1 1 GET", "3 words: want ADDRESS, or PREFIX COUNT"},
		{strings.Repeat("1", 1<<17), "token too long"},
	} {
		_, err := Read(strings.NewReader("192.0.2.1\n\n" + c.line + "\n192.0.2.2 1\n"))
		if err == nil || !strings.Contains(err.Error(), "line 3: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.line, err, c.want)
		}
	}
	_, err := Read(strings.NewReader("x\n192.0.2.1\ny 1\n"))
	if err == nil || !strings.Contains(err.Error(), "line 1: ") || !strings.Contains(err.Error(), "line 3: ") {
		t.Errorf("not all faults named: %v", err)
	}
	_, err = Read(strings.NewReader(strings.Repeat("x\n", 1000)))
	if err == nil || strings.Count(err.Error(), "line ") != maxFaults {
		t.Errorf("a log that is none: %v", err)
	}
}

func TestReaderThatFailsIsSaid(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Read(io.MultiReader(strings.NewReader("192.0.2.1\n"), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Of more networks than are kept, the heaviest are, wherever they stand.
func TestHugeLogKeepsTheHeaviest(t *testing.T) {
	const most = 1000
	var log strings.Builder
	for i := range 3 * most {
		fmt.Fprintf(&log, "2001:db8:%x::/48 %d\n", i, 1+i%3)
	}
	v, err := read(strings.NewReader(log.String()), most)
	if err != nil || v.Len() != most || v.Total() != 3*most {
		t.Fatalf("%d prefixes of %g queries, %v; want the %d that count 3", v.Len(), v.Total(), err, most)
	}
}

func TestOfMeansWhatIsReadFromALog(t *testing.T) {
	v := Of(map[netip.Prefix]float64{
		netip.MustParsePrefix("192.0.2.0/25"):   1,
		netip.MustParsePrefix("192.0.2.128/25"): 2,
		netip.MustParsePrefix("2001:db8::/32"):  4,
		netip.MustParsePrefix("10.0.0.0/8"):     0,
		netip.MustParsePrefix("11.0.0.0/8"):     math.NaN(),
		{}:                                      8,
	})
	if got := collect(v); !maps.Equal(got, map[string]float64{"192.0.2.0/24": 3, "2001:db8::/32": 4}) {
		t.Errorf("got %v", got)
	}
}

func root(t *testing.T) *os.Root {
	t.Helper()
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func TestCountsOutliveARestart(t *testing.T) {
	dir := root(t)
	if _, err := Load(dir, "traffic"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is no file yet: %v", err)
	}
	before := New()
	for range 100 {
		before.Add(netip.MustParseAddr("192.0.2.1"))
	}
	before.Add(netip.MustParseAddr("2001:db8::1"))
	if err := Save(dir, "traffic", before.Freeze()); err != nil {
		t.Fatal(err)
	}
	v, err := Load(dir, "traffic")
	if err != nil {
		t.Fatal(err)
	}
	after := New()
	after.Restore(v)
	after.Restore(nil)
	after.Add(netip.MustParseAddr("192.0.2.2"))
	if got := collect(after.Freeze()); !maps.Equal(got, map[string]float64{"192.0.2.0/24": 101, "2001:db8::/48": 1}) {
		t.Errorf("after the restart: %v", got)
	}
	if s := after.Stats(); s.Queries != 1 {
		t.Errorf("%d queries, though one came", s.Queries)
	}
	if err := dir.WriteFile("traffic", []byte("192.0.2.0/24 1\n\x00\x00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, "traffic"); err == nil || !strings.Contains(err.Error(), "in traffic: line 2") {
		t.Errorf("a damaged file: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("192.0.2.0/24 1e15\n0.0.0.0/0\n::/0 0x1p3"))
	f.Add([]byte("fe80::1%eth0 1\n1.2.3.4 # x\n#\n\r\n \t"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Read(bytes.NewReader(b))
		if err != nil {
			if v != nil {
				t.Error("an error and a View")
			}
			return
		}
		var last netip.Prefix
		sum := 0.0
		for p, w := range v.All() {
			if !p.IsValid() || p != p.Masked() || last.IsValid() && last.Compare(p) >= 0 || !(w > 0) {
				t.Fatalf("%s %g after %s", p, w, last)
			}
			last, sum = p, sum+w
		}
		if math.Abs(sum-v.Total()) > 1e-9*sum {
			t.Fatalf("a total of %g, want %g", v.Total(), sum)
		}
		var text bytes.Buffer
		if err := Write(&text, v); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&text)
		if err != nil || again.Len() != v.Len() {
			t.Fatalf("%d prefixes, %v after writing %d", again.Len(), err, v.Len())
		}
	})
}
