package edge

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"landfall/edge/forward"
)

// slow is an origin that takes its time.
func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(time.Minute):
		ok(w, r)
	case <-r.Context().Done():
	}
}

func TestConnectionThatCancelsAndCancelsIsClosed(t *testing.T) {
	inBubble(t, slow, func(t *testing.T, b *bubble) {
		f := b.framer(t)
		sent := 0
		for range 1000 {
			id, err := f.ask(page("/")...)
			if err != nil {
				break
			}
			sent++
			time.Sleep(time.Millisecond)
			if f.cancel(id) != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		<-f.ended
		if s := b.Stats(); s.Cancelling != 1 || s.Connections != 0 || s.Requests > connBurst+30 {
			t.Errorf("%d requests sent: %+v", sent, s)
		}
	})
}

// A browser that leaves a page at once, and comes back, is nobody to close.
func TestLeavingAPageIsNoFlood(t *testing.T) {
	inBubble(t, slow, func(t *testing.T, b *bubble) {
		f := b.framer(t)
		for range 10 {
			var streams []uint32
			for range 100 {
				id, _ := f.ask(page("/")...)
				streams = append(streams, id)
			}
			time.Sleep(time.Second)
			for _, id := range streams {
				f.cancel(id)
			}
			time.Sleep(10 * time.Second)
		}
		if s := b.Stats(); s.Cancelling != 0 || s.Connections != 1 || s.Requests != 1000 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAddressThatCancelsHasToWait(t *testing.T) {
	g, now := hall(100), time.Now()
	for range partyBurst + 1 {
		_, c, in := arrive(g, "192.0.2.1:1", true) // each on a connection of its own
		if !in || g.admit(c, now) != nil {
			t.Fatal("refused before its time")
		}
		g.release(c, true, now)
		c.Close()
	}
	_, c, _ := arrive(g, "192.0.2.1:1", true)
	if err := g.admit(c, now); err != errCancels {
		t.Errorf("after %d: %v", partyBurst+1, err)
	}
	if _, other, _ := arrive(g, "192.0.2.2:1", true); g.admit(other, now) != nil {
		t.Error("another address has to wait with it")
	}
	if err := g.admit(c, now.Add(partyEvery)); err != nil {
		t.Errorf("a moment later: %v", err)
	}
	for range 10 * partyBurst {
		g.inside, c.party.inside = g.inside+1, c.party.inside+1
		g.release(c, true, now)
	}
	if err := g.admit(c, now.Add(penalty-partyEvery)); err != errCancels {
		t.Errorf("after a flood: %v", err)
	}
	if err := g.admit(c, now.Add(penalty)); err != nil {
		t.Errorf("after the penalty: %v", err)
	}
}

func TestAddressHasAShareOfTheRequests(t *testing.T) {
	g, now := hall(100), time.Now()
	_, c, _ := arrive(g, "192.0.2.1:1", true)
	n := 0
	for g.admit(c, now) == nil {
		n++
	}
	if n != 50 || g.greedy.Load() != 1 {
		t.Errorf("%d requests of 100 for one address", n)
	}
	_, other, _ := arrive(g, "192.0.2.2:1", true)
	if err := g.admit(other, now); err != nil {
		t.Errorf("another address: %v", err)
	}
	for range n {
		g.release(c, false, now)
	}
	c.Close()
	g.release(other, false, now)
	other.Close()
	if g.inside != 0 || len(g.parties) != 0 {
		t.Errorf("%d inside, %d parties", g.inside, len(g.parties))
	}
}

func TestWhoIsOverTheShareIsToldToComeBack(t *testing.T) {
	inBubble(t, slow, func(t *testing.T, b *bubble) {
		b.guests.limit = 10
		c := b.client(true)
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for range 5 {
			asking.Go(func() {
				req, _ := http.NewRequestWithContext(ctx, "GET", "https://chat.landfall.test/", nil)
				if res, err := c.Do(req); err == nil {
					res.Body.Close()
				}
			})
		}
		time.Sleep(time.Second)
		res, _ := get(t, c, "chat.landfall.test", "/")
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "1" {
			t.Errorf("%s %v", res.Status, res.Header)
		}
		if res, _ := get(t, c, "chat.landfall.test", HealthPath); res.StatusCode != http.StatusOK {
			t.Errorf("health: %s", res.Status)
		}
		cancel()
		asking.Wait()
		time.Sleep(forward.Stall)
		if s := b.Stats(); s.Open != 0 || s.Throttled["share"] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestGrudgesAreForgotten(t *testing.T) {
	g, now := hall(100), time.Now()
	_, c, _ := arrive(g, "192.0.2.1:1", true)
	if err := g.admit(c, now); err != nil {
		t.Fatal(err)
	}
	g.release(c, true, now.Add(-sweepEvery))
	c.cancels, c.party.cancels = calm{now.Add(time.Hour)}, calm{now.Add(time.Hour)}
	c.Close()
	if len(g.parties) != 1 {
		t.Fatal("forgotten with its last connection")
	}
	c.party.cancels = calm{now}
	g.sweep(now.Add(2 * sweepEvery))
	if len(g.parties) != 0 || len(g.idlers) != 0 {
		t.Errorf("%d parties are left", len(g.parties))
	}
}
