package landfall

import (
	"math"
	"testing"
)

func TestDistance(t *testing.T) {
	fra, nyc, sin := Place{50.11, 8.68}, Place{40.71, -74.01}, Place{1.35, 103.82}
	tests := []struct {
		a, b Place
		km   float64
	}{
		{fra, fra, 0},
		{fra, nyc, 6206},
		{fra, sin, 10260},
		{Place{0, 0}, Place{0, 180}, math.Pi * earthRadius},
		{Place{90, 0}, Place{90, 120}, 0},
		{Place{0, 179.5}, Place{0, -179.5}, 111.2},
	}
	for _, tt := range tests {
		if got := tt.a.Distance(tt.b); math.Abs(got-tt.km) > max(1, tt.km/200) {
			t.Errorf("%v to %v: %.1f km, want %.1f", tt.a, tt.b, got, tt.km)
		}
		if back := tt.b.Distance(tt.a); math.Abs(back-tt.a.Distance(tt.b)) > 1e-9 {
			t.Errorf("%v to %v is not as far as back", tt.a, tt.b)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{"40.71,-74.01", "0,0", " 1 , 2 ", "91,0", "NaN,0", "1", ",", "1e400,0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlace(s)
		if err != nil {
			return
		}
		if !p.Valid() {
			t.Errorf("%q reads as %v, off the Earth", s, p)
		}
		if q, err := ParsePlace(p.String()); err != nil || q != p {
			t.Errorf("%v writes as %q and reads as %v: %v", p, p, q, err)
		}
	})
}

func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{"Chat.Example.COM", "chat.example.com.:8443", "[::1]:443", "[::1]", ":", "", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := CanonicalHost(s)
		if InZone(h, "example.com") && badDomain(h) == "" && CanonicalHost(h) != h {
			t.Errorf("%q -> %q -> %q", s, h, CanonicalHost(h))
		}
	})
}
