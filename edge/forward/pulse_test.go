package forward

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"landfall"
)

// weather is a mesh whose path home can be cut. The mesh knows of a cut after
// a second, and TCP hopes on.
type weather struct {
	*mesh

	mu   sync.Mutex
	fair chan struct{} // closed while the path is good
	dark time.Time     // when it was cut
}

const notice = time.Second

func newWeather(m *mesh) *weather {
	w := &weather{mesh: m, fair: make(chan struct{})}
	close(w.fair)
	return w
}

func (w *weather) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fair, w.dark = make(chan struct{}), time.Now()
}

func (w *weather) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.fair)
}

func (w *weather) now() (fair <-chan struct{}, known <-chan time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fair, time.After(notice - time.Since(w.dark))
}

// Dial is the mesh's: at once in vain when the peer is known to be dead.
func (w *weather) Dial(ctx context.Context, to landfall.Target) (net.Conn, error) {
	fair, known := w.now()
	select {
	case <-fair:
	default:
		select {
		case <-fair:
		case <-known:
			return nil, syscall.EHOSTUNREACH
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c, err := w.mesh.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	return &cable{Conn: c, weather: w, closed: make(chan struct{})}, nil
}

// cable delivers what it is given when the weather is fair.
type cable struct {
	net.Conn
	weather *weather
	once    sync.Once
	closed  chan struct{}
}

func (c *cable) wait() {
	fair, _ := c.weather.now()
	select {
	case <-fair:
	case <-c.closed:
	}
}

func (c *cable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.wait()
	}
	return n, err
}

func (c *cable) Write(b []byte) (int, error) {
	c.wait()
	return c.Conn.Write(b)
}

func (c *cable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// inWeather is inWorld with a path home that can be cut.
func inWeather(t *testing.T, origin http.HandlerFunc, f func(*testing.T, *world, *weather)) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.mesh.serve(t, "fra1", origin)
		sky := newWeather(w.mesh)
		fwd, err := New(Config{Self: "nyc1", Dialer: sky})
		if err != nil {
			t.Fatal(err)
		}
		fwd.SetTargets(home)
		w.Forwarder, w.hop.Targets = fwd, home
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { fwd.Run(ctx) })
		t.Cleanup(func() {
			stop()
			running.Wait()
		})
		time.Sleep(5 * time.Second)
		f(t, w, sky)
	})
}

func TestDarkHomeIsFoundOutSoonAndForgottenAtOnce(t *testing.T) {
	inWeather(t, echo, func(t *testing.T, w *world, sky *weather) {
		w.do("GET", "") // leaves a connection that waits for the next request
		sky.cut()
		var asking sync.WaitGroup
		for _, c := range []struct {
			method, body string
			status       int
		}{{"GET", "", 503}, {"POST", "hello", 502}} {
			asking.Go(func() {
				began := time.Now()
				res, text := w.do(c.method, c.body)
				if took := time.Since(began); res.StatusCode != c.status || took > notice+3*time.Second {
					t.Errorf("%s: %s after %v", c.method, res.Status, took)
				}
				if !strings.Contains(text, "fault mesh") {
					t.Errorf("%s: %q", c.method, text)
				}
			})
		}
		asking.Wait()
		for range 100 {
			began := time.Now()
			res, _ := w.do("POST", "hello")
			if took := time.Since(began); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || took > time.Millisecond {
				t.Fatalf("of a home known to be dark: %s after %v", res.Status, took)
			}
			time.Sleep(time.Second)
		}
		if _, down := w.Unreachable(home); !down {
			t.Error("a dark home counts as reachable")
		}
		sky.clear()
		began := time.Now()
		if res, _ := w.do("POST", "hello"); res.StatusCode != 200 || time.Since(began) > 2*rtt {
			t.Errorf("of a home that is back: %s after %v", res.Status, time.Since(began))
		}
		time.Sleep(2*backoffMax + settled)
		if _, down := w.Unreachable(home); down || w.Stats().SparesReady != 2*DefaultSpares {
			t.Errorf("afterwards: down %v, %+v", down, w.Stats())
		}
	})
}

// So are streams of what is no HTTP, whose targets have yet to speak.
func TestStreamThatWaitsForADarkHomeIsClosed(t *testing.T) {
	inWeather(t, echo, func(t *testing.T, w *world, sky *weather) {
		c, heard, err := w.Open(t.Context(), home)
		if err != nil {
			t.Fatal(err)
		}
		early, done, err := w.Open(t.Context(), home)
		if err != nil {
			t.Fatal(err)
		}
		done() // it has been spoken to: TCP may hope on
		sky.cut()
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) > notice+3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		heard()
		if _, _, err := w.Open(t.Context(), home); !lostPath(err) {
			t.Error(err)
		}
		early.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := early.Read(make([]byte, 1)); !timedOut(err) {
			t.Errorf("one that was heard of: %v", err)
		}
		early.Close()
	})
}

// Requests that wait for long as they should outlast a path that is gone for
// a moment, and cost it one dial a second.
func TestShortCutCostsNobodyAnAnswer(t *testing.T) {
	late := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Second)
		io.WriteString(w, "late")
	}
	inWeather(t, late, func(t *testing.T, w *world, sky *weather) {
		before := w.mesh.dials.Load()
		var asking sync.WaitGroup
		for range 30 {
			asking.Go(func() {
				if res, text := w.do("POST", "hello"); res.StatusCode != 200 || text != "late" {
					t.Errorf("%s %q", res.Status, text)
				}
			})
		}
		time.Sleep(5 * time.Second)
		sky.cut()
		time.Sleep(notice + grief/2)
		sky.clear()
		asking.Wait()
		if n := w.mesh.dials.Load() - before; n > 30+8*DefaultSpares+20 {
			t.Errorf("%d dials for 30 requests in 20 s", n)
		}
	})
}

func TestBrowsersGetAPage(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		for accept, want := range map[string]string{
			"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "text/html; charset=utf-8",
			"application/json, text/plain, */*":                               "application/json",
			"*/*":                                                             "text/plain; charset=utf-8",
		} {
			res, text := w.do("GET", "", "Accept", accept, headerID, "abc")
			if got := res.Header.Get("Content-Type"); res.StatusCode != 503 || got != want {
				t.Errorf("%s: %s %s, want %s", accept, res.Status, got, want)
			}
			for _, what := range []string{"This edge is up", "nyc1", "abc", "503"} {
				if !strings.Contains(text, what) {
					t.Errorf("%s: %q does not say %q", accept, text, what)
				}
			}
		}
	})
}

func TestPageEscapesWhatItSays(t *testing.T) {
	a := Answer{Status: 421, Say: "<script>", Node: "a<b", Fault: Client, ID: `"><x`}
	if s := string(a.page()); strings.Contains(s, "<script>") || strings.Contains(s, "a<b") || strings.Contains(s, `"><x`) {
		t.Error(s)
	}
}
