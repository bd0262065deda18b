package forward

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// drip sends a body of pieces at intervals until one is refused, and says how
// long that took; the answer may come before its end.
func (w *world) drip(pieces, size int, every time.Duration) (status int, took time.Duration) {
	w.t.Helper()
	r, body := io.Pipe()
	start := time.Now()
	go func() {
		defer body.Close()
		for range pieces {
			if _, err := body.Write(bytes.Repeat([]byte("a"), size)); err != nil {
				return
			}
			time.Sleep(every)
		}
	}()
	res, err := w.client.Post("http://chat.landfall.test/upload", "text/plain", r)
	took = time.Since(start)
	r.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode, took
}

func TestBodyThatTricklesIsCut(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		status, took := w.drip(100, 1, 20*time.Second)
		if status != http.StatusRequestTimeout || took < uploadPatience || took > uploadPatience+time.Second {
			t.Errorf("a byte every 20 seconds: %d after %v", status, took)
		}
		if s := w.Stats(); s.Slow["up"] != 1 || s.Faults["client"] != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
	})
}

func TestSlowButHonestBodyPasses(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		if status, took := w.drip(200, 1200, 4*time.Second); status != http.StatusOK || took < 800*time.Second {
			t.Errorf("300 bytes a second: %d after %v", status, took)
		}
		if status, _ := w.drip(20, 32<<10, 55*time.Second); status != http.StatusOK { // tunnels
			t.Errorf("bursts and silences: %d", status)
		}
		if s := w.Stats(); s.Slow["up"] != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestPatience(t *testing.T) {
	for _, c := range []struct {
		left, waited time.Duration
		n            int
		want         time.Duration
	}{
		{time.Minute, 0, 1 << 20, time.Minute},
		{time.Minute, 20 * time.Second, 0, 40 * time.Second},
		{40 * time.Second, 10 * time.Second, 256, 31 * time.Second},
		{time.Second, 2 * time.Second, 0, 0},
		{time.Second, 2 * time.Second, 512, time.Second},
	} {
		if got := patience(c.left, c.waited, c.n); got != c.want {
			t.Errorf("%v left, %d bytes after %v: %v, want %v", c.left, c.n, c.waited, got, c.want)
		}
	}
}
