package forward

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/edge/internal/ocean"
)

func TestSparesAreReplacedWhenTheOriginRestarts(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		srv := w.mesh.serve(t, "fra1", http.HandlerFunc(echo))
		time.Sleep(10 * time.Second)
		if n := w.Stats().SparesReady; n != 2*DefaultSpares {
			t.Fatalf("%d spares before the restart", n)
		}
		srv.Close()
		time.Sleep(time.Second)
		if n := w.Stats().SparesReady; n != 0 {
			t.Errorf("%d spares to an origin that is gone", n)
		}
		w.mesh.serve(t, "fra1", http.HandlerFunc(echo))
		time.Sleep(2 * backoffMax)
		start := time.Now()
		if res, _ := w.do("POST", "hello"); res.StatusCode != 200 || time.Since(start) != rtt {
			t.Errorf("after the restart: %s after %v", res.Status, time.Since(start))
		}
	})
}

func TestDiallingBacksOffWhileAnOriginIsDown(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		time.Sleep(time.Minute)
		before := w.mesh.dials.Load()
		time.Sleep(time.Minute)
		perKeeper := float64(w.mesh.dials.Load()-before) / (2 * DefaultSpares)
		if most := float64(time.Minute / (backoffMax / 2)); perKeeper > most || perKeeper < 1 {
			t.Errorf("each keeper dialled %v times a minute, want 1 to %v", perKeeper, most)
		}
	})
}

func TestUnreachableTellsSinceWhen(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		two := append(home[:1:1], landfall.Target{Node: "fra2", Service: landfall.MeshChat})
		w.SetTargets(two)
		time.Sleep(10 * time.Second)
		if _, down := w.Unreachable(two); down {
			t.Error("unreachable, although the first of two origins answers")
		}
		since, down := w.Unreachable(two[1:])
		if age := time.Since(since); !down || age < 9*time.Second || age > 10*time.Second {
			t.Errorf("the second is down: %v, since %v", down, age)
		}
		w.mesh.serve(t, "fra2", http.HandlerFunc(echo))
		time.Sleep(2 * backoffMax)
		if _, down := w.Unreachable(two[1:]); down {
			t.Error("the second is back, and nobody noticed")
		}
	})
}

// A peer that accepts and hangs up is as good as none, and must not be
// dialled without a pause.
func TestPeerThatHangsUpCountsAsDown(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		l := ocean.Listen()
		w.mesh.mu.Lock()
		w.mesh.origins["fra1"] = l
		w.mesh.mu.Unlock()
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		before := w.mesh.dials.Load()
		time.Sleep(time.Minute)
		if n := w.mesh.dials.Load() - before; n > 2*DefaultSpares*40 {
			t.Errorf("%d dials in a minute", n)
		}
		if since, down := w.Unreachable(home); !down || time.Since(since) < 50*time.Second {
			t.Errorf("down %v since %v", down, since)
		}
	})
}

func TestTargetsThatLeaveTheMapAreLetGo(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		w.SetTargets(nil)
		time.Sleep(time.Second)
		if n := w.Stats().SparesReady; n != 0 {
			t.Errorf("%d spares to nowhere", n)
		}
		if res, _ := w.do("GET", ""); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %s", res.Status)
		}
		w.SetTargets(home)
		time.Sleep(time.Second)
		if res, _ := w.do("GET", ""); res.StatusCode != http.StatusOK {
			t.Errorf("status %s after the target came back", res.Status)
		}
	})
}

func TestClaimRefusesWhatHasSpokenOrEnded(t *testing.T) {
	for name, peer := range map[string]func(net.Conn){
		"closed": func(c net.Conn) { c.Close() },
		"spoke":  func(c net.Conn) { io.WriteString(c, "x"); c.Close() },
	} {
		near, far := net.Pipe()
		s := watch(near)
		peer(far)
		<-s.dead
		if s.claim() {
			t.Errorf("%s: handed out", name)
		}
	}
	near, far := net.Pipe()
	s := watch(near)
	if !s.claim() {
		t.Fatal("a good connection was refused")
	}
	go io.WriteString(far, "y")
	var b [1]byte
	if _, err := near.Read(b[:]); err != nil || b[0] != 'y' {
		t.Errorf("after the claim: %q, %v", b, err)
	}
	near.Close()
	far.Close()
}

// Cancelled requests cost the mesh no more dials than may be under way.
func TestNoDialForWhoHasGone(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.mesh.mu.Lock()
		w.mesh.origins["fra1"] = ocean.Listen() // nobody accepts
		w.mesh.mu.Unlock()
		time.Sleep(time.Minute) // no spares either
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for range 5 * maxDials {
			asking.Go(func() {
				req, _ := http.NewRequestWithContext(ctx, "GET", "http://chat.landfall.test/", nil)
				if _, err := w.client.Do(req); err == nil {
					t.Error("an answer from nowhere")
				}
			})
		}
		time.Sleep(time.Second)
		cancel()
		asking.Wait()
		time.Sleep(time.Minute)
		if n := w.Stats().Dials["direct"]; n != maxDials {
			t.Errorf("%d dials for %d requests, want %d", n, 5*maxDials, maxDials)
		}
	})
}

// What was dialled for a request that is gone serves the next.
func TestDialOutlivesItsRequest(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		var burst sync.WaitGroup
		for range DefaultSpares { // use up the spares
			burst.Go(func() { w.do("GET", "") })
		}
		time.Sleep(rtt / 4)
		ctx, cancel := context.WithTimeout(t.Context(), rtt/4)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://chat.landfall.test/", nil)
		if _, err := w.client.Do(req); err == nil {
			t.Error("an answer before its time")
		}
		burst.Wait()
		time.Sleep(time.Second)
		if s := w.Stats(); s.Dials["direct"] != 1 || w.idle() != DefaultSpares+1 {
			t.Errorf("%d connections wait: %+v", w.idle(), s)
		}
	})
}

// idle counts connections of the mesh that have carried or were dialled for a
// request, by taking them one after the other.
func (w *world) idle() int {
	before := w.Stats()
	var asking sync.WaitGroup
	for range 2 * DefaultSpares {
		asking.Go(func() { w.do("GET", "") })
	}
	asking.Wait()
	after := w.Stats()
	return 2*DefaultSpares - int(after.Dials["spare"]-before.Dials["spare"]) - int(after.Dials["direct"]-before.Dials["direct"])
}
