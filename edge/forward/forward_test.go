package forward

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/edge/internal/ocean"

	"github.com/gorilla/websocket"
)

const rtt = 140 * time.Millisecond

var home = []landfall.Target{{Node: "fra1", Service: landfall.MeshChat}}

// world is one edge, its origins an ocean away, and a client beside it.
type world struct {
	*Forwarder
	t      *testing.T
	mesh   *mesh
	client *http.Client
	door   *ocean.Listener
	hop    Hop
}

// mesh dials the origins by node.
type mesh struct {
	dials atomic.Int64

	mu      sync.Mutex
	origins map[landfall.NodeID]*ocean.Listener
}

func (m *mesh) Dial(ctx context.Context, to landfall.Target) (net.Conn, error) {
	m.dials.Add(1)
	m.mu.Lock()
	l := m.origins[to.Node]
	m.mu.Unlock()
	if l == nil {
		return nil, errors.New("no path to the node")
	}
	return ocean.Dial(ctx, l, rtt)
}

// serve starts an origin and returns how to stop it.
func (m *mesh) serve(t *testing.T, id landfall.NodeID, h http.Handler) *http.Server {
	l := ocean.Listen()
	m.mu.Lock()
	m.origins[id] = l
	m.mu.Unlock()
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return srv
}

// inWorld runs f in a bubble with an edge whose spares are ready, and checks
// that nothing is left of it afterwards.
func inWorld(t *testing.T, origin http.Handler, f func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) {
		m := &mesh{origins: make(map[landfall.NodeID]*ocean.Listener)}
		fwd, err := New(Config{Self: "nyc1", Dialer: m, HeaderTimeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Forwarder: fwd, t: t, mesh: m, door: ocean.Listen(), hop: Hop{Targets: home}}
		if origin != nil {
			m.serve(t, "fra1", origin)
		}
		w.start()
		f(t, w)
	})
}

func (w *world) start() {
	ctx, stop := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	requests, cut := context.WithCancelCause(w.t.Context())
	srv := &http.Server{
		Handler:     http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.Serve(rw, r, w.hop) }),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	go srv.Serve(w.door)
	w.client = &http.Client{Transport: &http.Transport{DialContext: w.dial}}
	w.t.Cleanup(func() {
		w.client.CloseIdleConnections()
		cut(ErrStopping)
		srv.Close()
		stop()
		running.Wait()
		time.Sleep(time.Second) // what is under way on the ocean arrives
	})
	w.SetTargets(w.hop.Targets)
	time.Sleep(time.Second)
}

func (w *world) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return ocean.Dial(ctx, w.door, 0)
}

// do sends a request and reads the whole answer.
func (w *world) do(method, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://chat.landfall.test/x?a;b&c=%zz", r)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(b)
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, b)
}

func TestFirstRequestNeedsNoDial(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		var burst sync.WaitGroup
		var took [5]time.Duration
		start := time.Now()
		for i := range took {
			burst.Go(func() {
				w.do("GET", "")
				took[i] = time.Since(start)
			})
		}
		burst.Wait()
		late := 0
		for _, d := range took {
			if d == 2*rtt {
				late++
			} else if d != rtt {
				t.Errorf("a request took %v, want %v", d, rtt)
			}
		}
		if late != 1 { // four spares for five requests at once
			t.Errorf("%d of %d requests had to dial first: %v", late, len(took), took)
		}
		time.Sleep(time.Second)
		if s := w.Stats(); s.SparesReady != 2*DefaultSpares || s.Dials["spare"] != 4 || s.Dials["direct"] != 1 {
			t.Errorf("afterwards: %+v", s)
		}
		// An hour later nothing has gone stale.
		time.Sleep(time.Hour)
		start = time.Now()
		w.do("POST", "hello")
		if d := time.Since(start); d != rtt {
			t.Errorf("an hour later a request took %v, want %v", d, rtt)
		}
	})
}

func TestRequestPassesAsItIs(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			body := ""
			if method != "GET" {
				body = "olá"
			}
			if _, got := w.do(method, body); got != method+" /x?a;b&c=%zz "+body {
				t.Errorf("origin saw %q", got)
			}
		}
	})
}

func TestWebSocketEcho(t *testing.T) {
	origin := func(w http.ResponseWriter, r *http.Request) {
		c, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for {
			kind, msg, err := c.ReadMessage()
			if err != nil {
				return
			}
			c.WriteMessage(kind, msg)
		}
	}
	inWorld(t, http.HandlerFunc(origin), func(t *testing.T, w *world) {
		start := time.Now()
		d := websocket.Dialer{NetDialContext: w.dial}
		c, res, err := d.DialContext(t.Context(), "ws://chat.landfall.test/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != rtt {
			t.Errorf("the handshake took %v, want %v", took, rtt)
		}
		if res.Header.Get(headerEdge) != "nyc1" {
			t.Errorf("101 without the edge's name: %v", res.Header)
		}
		for i := range 3 {
			time.Sleep(time.Hour) // silence ends nothing
			start = time.Now()
			c.WriteMessage(websocket.TextMessage, fmt.Append(nil, i))
			_, msg, err := c.ReadMessage()
			if err != nil || string(msg) != fmt.Sprint(i) || time.Since(start) != rtt {
				t.Errorf("echo %d: %q, %v after %v", i, msg, err, time.Since(start))
			}
		}
		if s := w.Stats(); s.Upgraded != 1 || s.Open != 1 {
			t.Errorf("while open: %+v", s)
		}
		c.Close()
		time.Sleep(time.Second)
		if s := w.Stats(); s.Upgraded != 0 || s.Open != 0 || s.Faults["client"] != 0 {
			t.Errorf("after it: %+v", s)
		}
	})
}

func TestEventsAreNeverHeldBack(t *testing.T) {
	pieces := []string{"data: \xe2\x82", "\xac", "\n\n"} // a euro sign in two pieces
	origin := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for _, p := range pieces {
			time.Sleep(10 * time.Second)
			io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
	}
	inWorld(t, http.HandlerFunc(origin), func(t *testing.T, w *world) {
		start := time.Now()
		res, err := w.client.Get("http://chat.landfall.test/events")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if took := time.Since(start); took != rtt {
			t.Errorf("the head came after %v, want %v", took, rtt)
		}
		buf := make([]byte, 100)
		for i, p := range pieces {
			n, _ := res.Body.Read(buf)
			if want := time.Duration(i+1)*10*time.Second + rtt; string(buf[:n]) != p || time.Since(start) != want {
				t.Errorf("piece %d: %q after %v, want %q after %v", i, buf[:n], time.Since(start), p, want)
			}
		}
		if b, err := io.ReadAll(res.Body); len(b) > 0 || err != nil {
			t.Errorf("after the last piece: %q, %v", b, err)
		}
	})
}

func TestRequestBodyStreams(t *testing.T) {
	seen := make(chan string)
	origin := func(w http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			seen <- lines.Text()
		}
		close(seen)
	}
	inWorld(t, nil, func(t *testing.T, w *world) {
		seen = make(chan string)
		w.mesh.serve(t, "fra1", http.HandlerFunc(origin))
		time.Sleep(10 * time.Second)
		r, body := io.Pipe()
		go func() {
			res, err := w.client.Post("http://chat.landfall.test/upload", "text/plain", r)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		}()
		for _, line := range []string{"one", "two"} {
			io.WriteString(body, line+"\n")
			if got := <-seen; got != line { // before the body ends
				t.Errorf("origin saw %q, want %q", got, line)
			}
			time.Sleep(20 * time.Second) // a slow client, but not a dead one
		}
		body.Close()
		if _, more := <-seen; more {
			t.Error("origin saw more than was sent")
		}
		time.Sleep(time.Second)
	})
}

func TestEarlyHintsPass(t *testing.T) {
	origin := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		time.Sleep(time.Second)
		io.WriteString(w, "page")
	}
	inWorld(t, http.HandlerFunc(origin), func(t *testing.T, w *world) {
		c, err := w.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n")
		b := bufio.NewReader(c)
		line, _ := b.ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 103") || time.Since(start) != rtt {
			t.Errorf("first line %q after %v", line, time.Since(start))
		}
		hints, _ := b.ReadString('\n')
		if !strings.HasPrefix(hints, "Link: ") {
			t.Errorf("hints: %q", hints)
		}
		b.ReadString('\n')
		res, err := http.ReadResponse(b, nil)
		if err != nil || res.StatusCode != 200 || time.Since(start) != rtt+time.Second {
			t.Errorf("answer %v, %v after %v", res, err, time.Since(start))
		}
	})
}

func TestGoodbyeEndsTheConnectionAfterTheAnswer(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		w.hop.Goodbye = true
		if res, _ := w.do("GET", ""); !res.Close || res.StatusCode != 200 {
			t.Errorf("close %v, status %d", res.Close, res.StatusCode)
		}
	})
}
