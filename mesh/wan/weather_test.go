package wan

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever the weather: a stream's bytes arrive complete and in order, and
// never sooner than the shortest delay there was.
func TestStreamsSurviveAnyWeather(t *testing.T) {
	seeds := uint64(30)
	if os.Getenv("LANDFALL_SOAK") != "" {
		seeds = 3000
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { weather(t, seed) })
	}
}

func weather(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	n := ocean(t, storm(r))
	d := Dialer{Network: n, From: "client", Window: 1 + r.IntN(100_000)}
	var there net.Conn
	d.Dial = func(context.Context, string, string) (c net.Conn, err error) {
		c, there = net.Pipe()
		return c, nil
	}
	near, err := d.DialContext(t.Context(), "tcp", "fra:1")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { // the weather changes now and then, and is fair in the end
		defer close(over)
		for range 20 {
			time.Sleep(time.Duration(r.Int64N(int64(100 * ms))))
			if err := n.Connect("client", "fra", storm(r)); err != nil {
				t.Error(err)
			}
			if r.IntN(3) == 0 {
				n.Cut("client", "fra")
			}
		}
		n.Heal("client", "fra")
	}()
	want := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(want)
	start := time.Now()
	sizes := rand.New(rand.NewPCG(seed, 3))
	go func() {
		for b := want; len(b) > 0; {
			k := min(len(b), 1+sizes.IntN(20_000))
			if _, err := near.Write(b[:k]); err != nil {
				t.Error(err)
			}
			b = b[k:]
			time.Sleep(ms)
		}
		near.Close()
	}()
	got, err := io.ReadAll(there)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("seed %d: %d of %d bytes, %v", seed, len(got), len(want), err)
	}
	if took := time.Since(start); took < minDelay {
		t.Errorf("seed %d: took %v", seed, took)
	}
	there.Close()
	<-over
}

const minDelay = 5 * ms

// storm is some link that is up.
func storm(r *rand.Rand) Link {
	return Link{
		Delay:   minDelay + time.Duration(r.Int64N(int64(150*ms))),
		Jitter:  time.Duration(r.Int64N(int64(50 * ms))),
		Reorder: r.IntN(2) == 0,
		Loss:    r.Float64(),
		Rate:    r.Int64N(2) * (1_000_000 + r.Int64N(100_000_000)),
	}
}
