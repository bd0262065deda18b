package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/edge/forward"
	"landfall/edge/internal/ocean"

	"github.com/gorilla/websocket"
)

// bubble is an edge 10 ms from its client and 140 ms from its origin, in the
// virtual time of a synctest bubble.
type bubble struct {
	*Server
	t      *testing.T
	ca     *authority
	door   *ocean.Listener
	origin *ocean.Listener
	stop   func() time.Duration
}

const near, far = 10 * time.Millisecond, 140 * time.Millisecond

func inBubble(t *testing.T, origin http.HandlerFunc, f func(*testing.T, *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, ca: newAuthority(t), door: ocean.Listen(), origin: ocean.Listen()}
		back := &http.Server{Handler: origin}
		go back.Serve(b.origin)
		cert := b.ca.leaf(t, "chat.landfall.test")
		srv, err := New(Config{
			Self:         "nyc1",
			Certificates: wallet{"chat.landfall.test": cert},
			Dialer: dialFunc(func(ctx context.Context, _ landfall.Target) (net.Conn, error) {
				return ocean.Dial(ctx, b.origin, far)
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Server = srv
		srv.SetMap(network(landfall.Active))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- srv.Run(ctx, b.door) }()
		b.stop = sync.OnceValue(func() time.Duration {
			start := time.Now()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return time.Since(start)
		})
		t.Cleanup(func() {
			b.stop()
			back.Close()
			time.Sleep(time.Second) // what is under way on the ocean arrives
		})
		time.Sleep(time.Second)
		f(t, b)
	})
}

func (b *bubble) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return ocean.Dial(ctx, b.door, near)
}

func (b *bubble) client(h2 bool) *http.Client {
	tr := &http.Transport{DialContext: b.dial, TLSClientConfig: &tls.Config{RootCAs: b.ca.pool}, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	b.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }

// The reason for all of this: connect, handshake and request cost 10 ms each,
// and only the request crosses the ocean.
func TestColdPageCrossesTheOceanOnce(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, ok, func(t *testing.T, b *bubble) {
			c := b.client(h2)
			for _, want := range []time.Duration{3*near + far, near + far} {
				start := time.Now()
				if _, body := get(t, c, "chat.landfall.test", "/"); body != "page" {
					t.Errorf("got %q", body)
				}
				if took := time.Since(start); took != want {
					t.Errorf("h2 %v: took %v, want %v", h2, took, want)
				}
			}
		})
	}
}

func TestHealthTurnsBadWhenHomeIsOutOfReach(t *testing.T) {
	inBubble(t, ok, func(t *testing.T, b *bubble) {
		c := b.client(true)
		res, body := get(t, c, "chat.landfall.test", HealthPath)
		if res.StatusCode != 200 || body != "ok nyc1 7\n" {
			t.Errorf("%s %q", res.Status, body)
		}
		b.origin.Close()
		time.Sleep(2 * time.Minute) // spares are used up as they grow old
		if res, body = get(t, c, "chat.landfall.test", HealthPath); res.StatusCode != 503 || !strings.Contains(body, "nyc1 7") {
			t.Errorf("without an origin: %s %q", res.Status, body)
		}
	})
}

func TestDrainingEdgeServesOnAndSaysGoodbyeAfterTheTTL(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, ok, func(t *testing.T, b *bubble) {
			c := b.client(h2)
			conns := func() uint64 {
				get(t, c, "chat.landfall.test", "/")
				get(t, c, "chat.landfall.test", "/")
				return b.Stats().Accepted
			}
			before := conns()
			b.SetMap(network(landfall.Draining))
			time.Sleep(landfall.DefaultTTL - 2*time.Second)
			b.SetMap(network(landfall.Draining)) // the next serial does not start it anew
			if n := conns(); n != before {
				t.Errorf("h2 %v: a client was sent away before the TTL was over", h2)
			}
			time.Sleep(3 * time.Second)
			if n := conns(); n <= before {
				t.Errorf("h2 %v: a client was not asked to come back elsewhere", h2)
			}
			if s := b.Stats(); s.Draining != 1 || s.Faults["ours"]+s.Faults["client"] != 0 {
				t.Errorf("%+v", s)
			}
			b.SetMap(network(landfall.Active))
			before = conns()
			if n := conns(); n != before {
				t.Error("after it became active again, clients were still sent away")
			}
		})
	}
}

func TestStopLetsRequestsFinishWithinTheGrace(t *testing.T) {
	slow := func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(DefaultGrace / 2)
		ok(w, nil)
	}
	for _, h2 := range []bool{false, true} {
		inBubble(t, slow, func(t *testing.T, b *bubble) {
			var asking sync.WaitGroup
			asking.Go(func() {
				if res, body := get(t, b.client(h2), "chat.landfall.test", "/"); res.StatusCode != 200 || body != "page" {
					t.Errorf("h2 %v: %s %q", h2, res.Status, body)
				}
			})
			time.Sleep(200 * time.Millisecond)
			if took := b.stop(); took > DefaultGrace+farewell {
				t.Errorf("the stop took %v", took)
			}
			asking.Wait()
		})
	}
}

func TestStopDoesNotWaitForIdleConnections(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, ok, func(t *testing.T, b *bubble) {
			get(t, b.client(h2), "chat.landfall.test", "/")
			if took := b.stop(); took > farewell {
				t.Errorf("h2 %v: the stop took %v", h2, took)
			}
		})
	}
}

func TestStopEndsWhatOutlastsTheGrace(t *testing.T) {
	stream := func(w http.ResponseWriter, r *http.Request) {
		if websocket.IsWebSocketUpgrade(r) {
			c, err := new(websocket.Upgrader).Upgrade(w, r, nil)
			if err == nil {
				c.ReadMessage()
				c.Close()
			}
			return
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	inBubble(t, stream, func(t *testing.T, b *bubble) {
		var clients sync.WaitGroup
		for _, h2 := range []bool{false, true} {
			clients.Go(func() {
				res, err := b.client(h2).Get("https://chat.landfall.test/")
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if _, err := io.ReadAll(res.Body); err == nil {
					t.Errorf("h2 %v: a stream that was cut looks whole", h2)
				}
			})
		}
		clients.Go(func() {
			d := websocket.Dialer{NetDialContext: b.dial, TLSClientConfig: &tls.Config{RootCAs: b.ca.pool}}
			c, _, err := d.Dial("wss://chat.landfall.test/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, _, err := c.ReadMessage(); err == nil {
				t.Error("a WebSocket outlived the edge")
			}
		})
		time.Sleep(time.Second)
		if s := b.Stats(); s.Open != 3 || s.Upgraded != 1 || s.Connections != 3 {
			t.Errorf("before: %+v", s)
		}
		if took := b.stop(); took < DefaultGrace || took > DefaultGrace+farewell {
			t.Errorf("the stop took %v", took)
		}
		clients.Wait()
		if s := b.Stats(); s.Open != 0 || s.Upgraded != 0 || s.Connections != 0 || s.Faults["ours"] != 2 {
			t.Errorf("after: %+v", s)
		}
	})
}

// A client that takes nothing of a long answer holds neither the edge's end
// nor the origin's connection.
func TestReaderThatStallsIsCutOff(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}
	inBubble(t, endless, func(t *testing.T, b *bubble) {
		c, err := b.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s := tls.Client(c, &tls.Config{RootCAs: b.ca.pool, ServerName: "chat.landfall.test"})
		io.WriteString(s, "GET / HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n")
		line, err := bufio.NewReader(s).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
			t.Fatalf("%q, %v", line, err)
		}
		time.Sleep(10 * time.Second)
		if n := b.Stats().Open; n != 1 {
			t.Fatalf("%d open", n)
		}
		time.Sleep(2 * forward.Stall)
		if s := b.Stats(); s.Open != 0 || s.Faults["client"] != 1 {
			t.Errorf("after two minutes without reading: %+v", s)
		}
	})
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	inBubble(t, ok, func(t *testing.T, b *bubble) {
		c, err := b.dial(t.Context(), "", "") // says nothing at all
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c2, err := b.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c2.Close()
		s := tls.Client(c2, &tls.Config{RootCAs: b.ca.pool, ServerName: "chat.landfall.test"})
		io.WriteString(s, "GET / HTTP/1.1\r\nHost: chat.landfall.test\r\n") // a head without an end
		time.Sleep(headerTimeout + time.Second)
		if n := b.Stats().Connections; n != 0 {
			t.Errorf("%d connections still open", n)
		}
	})
}

// The same on real sockets, with a look at the goroutines.
func TestNothingIsLeftAfterAStop(t *testing.T) {
	hold := make(chan struct{})
	before := runtime.NumGoroutine()
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	var answers []io.Closer
	for _, h2 := range []bool{false, true} {
		res, err := s.client("chat.landfall.test", h2).Get("https://chat.landfall.test/")
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, res.Body)
	}
	if took := s.stop(); took > time.Second {
		t.Errorf("the stop took %v", took)
	}
	close(hold)
	for _, a := range answers {
		a.Close()
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+1 && time.Now().Before(deadline) { // the origin's own listener stays
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before+1 {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", n, before, buf[:runtime.Stack(buf, true)])
	}
	if _, err := tls.Dial("tcp", s.address, s.tls("chat.landfall.test")); err == nil {
		t.Error("the listener is still open")
	}
}

func TestListenerThatBreaksEndsRun(t *testing.T) {
	s := newStage(t, nil)
	s.stop()
	fresh, err := New(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.Run(t.Context(), broken{listen(t)}); err == nil || !errors.Is(err, errBroken) {
		t.Errorf("Run returned %v", err)
	}
}

var errBroken = errors.New("out of order")

type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

func TestGateWaitsForThoseInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		for range 2 {
			if !g.enter() {
				t.Fatal("the gate is closed from the start")
			}
		}
		g.leave()
		time.AfterFunc(time.Hour, g.leave)
		start := time.Now()
		g.close()
		if took := time.Since(start); took != time.Hour {
			t.Errorf("closed after %v", took)
		}
		if g.enter() {
			t.Error("a closed gate lets in")
		}
		g.close() // nobody is inside
	})
}
