package join

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// dual is a network of both families; what is slow never answers.
type dual struct {
	h     *home
	slow  string
	calls []string
	each  chan struct{}
}

func (d *dual) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.each <- struct{}{}
	d.calls = append(d.calls, network+" "+address)
	<-d.each
	host, _, _ := net.SplitHostPort(address)
	switch {
	case strings.HasPrefix(address, "192.0.2.66:"):
		return nil, errors.New("connection refused")
	case network == d.slow:
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case network == "tcp6" && !strings.Contains(host, ":"):
		return nil, errors.New("no address of that family")
	case network == "tcp6":
		return d.h.connect("[2001:db8::7]:40000", "[2001:db8::7]:40000", address), nil
	}
	return d.h.connect(inside, outside, address), nil
}

func TestBothFamiliesAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		slow       string
		advertised []string
		takes      time.Duration
	}{
		"both":    {"", []string{"198.51.100.7", "2001:db8::7"}, 0},
		"no IPv6": {"tcp6", []string{"198.51.100.7"}, familyTime},
		"no IPv4": {"tcp4", []string{"2001:db8::7"}, familyTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t)
				inv := nyc("nyc1")
				inv.Endpoints = []string{"192.0.2.66:443", "192.0.2.1:443", "[2001:db8::1]:443"}
				token, err := h.book.Invite(t.Context(), inv)
				h.must(err)
				d := &dual{h: h, slow: c.slow, each: make(chan struct{}, 1)}
				cfg := newMachine(t).config(h, token)
				cfg.Dial = d.dial
				var proving time.Duration
				start := time.Now()
				cfg.Progress = func(s string) {
					if strings.HasPrefix(s, "proving") {
						proving = time.Since(start)
					}
				}
				if _, err := Join(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
				if n := h.node("nyc1"); !slices.Equal(n.Advertised, addrs(c.advertised...)) || len(n.Endpoints) != len(c.advertised) {
					t.Errorf("advertised %v, endpoints %v", n.Advertised, n.Endpoints)
				}
				if proving != c.takes {
					t.Errorf("asked for %v, want %v", proving, c.takes)
				}
				if slices.Contains(d.calls, "tcp6 192.0.2.1:443") || slices.Contains(d.calls, "tcp4 [2001:db8::1]:443") {
					t.Errorf("called in vain: %q", d.calls)
				}
			})
		})
	}
}

func TestUnreachableControlSaysWhatWasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		inv := nyc("nyc1")
		inv.Endpoints = []string{"192.0.2.66:443", "192.0.2.1:443"}
		token, err := h.book.Invite(t.Context(), inv)
		h.must(err)
		d := &dual{h: h, slow: "tcp4", each: make(chan struct{}, 1)}
		cfg := newMachine(t).config(h, token)
		cfg.Dial = d.dial
		start := time.Now()
		_, err = Join(t.Context(), cfg)
		f, ok := err.(*Failure)
		if !ok || f.Kind != Unreachable || time.Since(start) != dialTime {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		for _, say := range []string{"192.0.2.66:443: connection refused", "192.0.2.1:443: context deadline exceeded", "landfall run", "nothing was changed"} {
			if !strings.Contains(err.Error(), say) {
				t.Errorf("%v\nwithout %q", err, say)
			}
		}
		if n := h.node("nyc1"); n.State != landfall.Invited {
			t.Errorf("node is %s", n.State)
		}
	})
}

func TestJoinEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		cfg := newMachine(t).config(h, h.invite("nyc1"))
		d := &dual{h: h, slow: "tcp4", each: make(chan struct{}, 1)}
		cfg.Dial = d.dial
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := Join(ctx, cfg); err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
