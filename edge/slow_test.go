package edge

import (
	"io"
	"net/http"
	"testing"
	"time"

	"landfall/edge/forward"
)

// A client that closes its window and answers pings holds a request no longer
// than one that stops reading.
func TestClosedWindowIsNoWayToStay(t *testing.T) {
	late := func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		time.Sleep(time.Second) // ReverseProxy's own flush of the head would wait for a mutex, which stops a bubble's clock
		ok(w, nil)
	}
	inBubble(t, late, func(t *testing.T, b *bubble) {
		f := b.framer(t, setting{initialWindowSize, 0})
		for _, path := range []string{"/", "/", "/", HealthPath} {
			f.ask(page(path)...)
		}
		time.Sleep(10 * time.Second)
		if s := b.Stats(); s.Open != 3 || s.Connections != 1 {
			t.Fatalf("after ten seconds: %+v", s)
		}
		time.Sleep(forward.Stall)
		if s := b.Stats(); s.Open != 0 || s.Slow["down"] != 3 || s.Faults["client"] != 3 {
			t.Errorf("after a minute: %+v", s)
		}
		resets := 0
		for range len(f.answers) {
			if a := <-f.answers; a.status == "" {
				resets++
			}
		}
		if resets != 4 {
			t.Errorf("%d of 4 streams were reset", resets)
		}
	})
}

// The limit is on what waits for the client, not on silence.
func TestQuietStreamIsNotSlow(t *testing.T) {
	events := func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			io.WriteString(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(10 * forward.Stall)
		}
	}
	for _, h2 := range []bool{false, true} {
		inBubble(t, events, func(t *testing.T, b *bubble) {
			if _, body := get(t, b.client(h2), "chat.landfall.test", "/"); len(body) != 27 {
				t.Errorf("h2 %v: got %q", h2, body)
			}
		})
	}
}
