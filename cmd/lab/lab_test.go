package lab

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// config is three places, one host in each, and the services of the world.
func config(dir string) Config {
	return Config{
		Dir:    dir,
		Places: map[wan.Site]landfall.Place{"fra": {Lat: 50.11, Lon: 8.68}, "nyc": {Lat: 40.71, Lon: -74.01}, "sin": {Lat: 1.29, Lon: 103.85}},
		Links: []Link{
			RTT("fra", "nyc", 80*time.Millisecond), RTT("fra", "sin", 160*time.Millisecond), RTT("nyc", "sin", 230*time.Millisecond),
		},
		Hosts: []Server{
			{Name: "fra1", Place: "fra", Addresses: addrs("192.0.2.1", "2001:db8:1::1")},
			{Name: "nyc1", Place: "nyc", Addresses: addrs("198.51.100.7"), Inside: netip.MustParseAddr("10.0.0.5")},
			{Name: "sin1", Place: "sin", Addresses: addrs("203.0.113.1", "2001:db8:3::1")},
			{Name: "world", Place: "fra", Addresses: addrs("192.0.2.53", "2001:db8:1::53")},
		},
	}
}

func addrs(text ...string) (out []netip.Addr) {
	for _, s := range text {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// open opens a lab for a test that has a minute.
func open(t *testing.T) (context.Context, *Lab) {
	t.Helper()
	if testing.Short() {
		t.Skip("namespaces take root and Debian packages; make test has both")
	}
	t.Parallel() // labs never meet
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	l, err := Open(ctx, config(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, l
}
