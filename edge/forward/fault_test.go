package forward

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/edge/internal/ocean"
)

// hangUp is an origin that closes the connection without an answer, a number
// of times.
func hangUp(times int64, asked *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= times {
			c, _, _ := w.(http.Hijacker).Hijack()
			c.Close()
			return
		}
		echo(w, r)
	})
}

func slow(d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	})
}

func TestWhoseFaultItIs(t *testing.T) {
	var asked atomic.Int64
	for _, c := range []struct {
		name    string
		origin  http.Handler // nil: none
		method  string
		status  int
		fault   Fault // empty: nobody's
		asked   int64 // how often the origin was; -1: does not say
		retried uint64
	}{
		{"all is well", hangUp(0, &asked), "POST", 200, "", 1, 0},
		{"no origin", nil, "POST", 503, Mesh, 0, 0},
		{"slow origin", slow(time.Hour), "GET", 504, Origin, -1, 0},
		{"patient wait", slow(19 * time.Second), "GET", 200, "", -1, 0},
		{"hung up on a post", hangUp(9, &asked), "POST", 502, Origin, 1, 0},
		{"hung up on a get", hangUp(1, &asked), "GET", 200, "", 2, 1},
		{"hung up on a get again and again", hangUp(9, &asked), "GET", 502, Origin, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(0)
			inWorld(t, c.origin, func(t *testing.T, w *world) {
				body := ""
				if c.method == "POST" {
					body = "hello"
				}
				res, text := w.do(c.method, body)
				if res.StatusCode != c.status {
					t.Errorf("status %d, want %d", res.StatusCode, c.status)
				}
				if c.asked >= 0 && asked.Load() != c.asked {
					t.Errorf("the origin was asked %d times, want %d", asked.Load(), c.asked)
				}
				s := w.Stats()
				if s.Retries != c.retried {
					t.Errorf("%d retries, want %d", s.Retries, c.retried)
				}
				for fault, n := range s.Faults {
					if want := map[bool]uint64{true: 1}[fault == string(c.fault)]; n != want {
						t.Errorf("fault %s: %d, want %d", fault, n, want)
					}
				}
				if c.fault != "" && !strings.Contains(text, "fault "+string(c.fault)) {
					t.Errorf("the answer does not say whose fault it was: %q", text)
				}
				if again := res.Header.Get("Retry-After") != ""; again != (c.fault == Mesh) {
					t.Errorf("Retry-After is there: %v", again)
				}
			})
		})
	}
}

func TestDialThatNeverEndsIsTheMeshsFault(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.mesh.mu.Lock()
		w.mesh.origins["fra1"] = ocean.Listen() // nobody accepts
		w.mesh.mu.Unlock()
		time.Sleep(time.Minute)
		start := time.Now()
		res, _ := w.do("GET", "")
		if res.StatusCode != http.StatusGatewayTimeout || time.Since(start) != dialTimeout {
			t.Errorf("%s after %v, want 504 after %v", res.Status, time.Since(start), dialTimeout)
		}
		if n := w.Stats().Faults["mesh"]; n != 1 {
			t.Errorf("%d faults of the mesh", n)
		}
	})
}

func TestErrorsAreJSONForWhoAcceptsIt(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		res, text := w.do("GET", "", "Accept", "application/json", headerID, "abc")
		var got struct {
			Status  int
			Error   string
			Fault   Fault
			Node    landfall.NodeID
			Request string
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		if got.Status != res.StatusCode || got.Fault != Mesh || got.Node != "nyc1" || got.Request != "abc" || got.Error == "" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestOriginThatDiesInTheMiddleOfItsAnswer(t *testing.T) {
	origin := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		time.Sleep(time.Second)
		panic(http.ErrAbortHandler)
	}
	inWorld(t, http.HandlerFunc(origin), func(t *testing.T, w *world) {
		res, err := w.client.Get("http://chat.landfall.test/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if string(b) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("client read %q and then %v: it must not take half an answer for a whole one", b, err)
		}
		time.Sleep(time.Second)
		if s := w.Stats(); s.Faults["origin"] != 1 || s.Faults["client"] != 0 || s.Open != 0 {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func TestClientThatGoesAwayIsNobodyElsesFault(t *testing.T) {
	gone := make(chan struct{})
	origin := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}
	inWorld(t, nil, func(t *testing.T, w *world) {
		gone = make(chan struct{})
		w.mesh.serve(t, "fra1", http.HandlerFunc(origin))
		time.Sleep(10 * time.Second)
		ctx, leave := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://chat.landfall.test/", nil)
		res, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		res.Body.Close()
		<-gone // the origin hears of it
		time.Sleep(time.Second)
		if s := w.Stats(); s.Faults["client"] != 1 || s.Faults["origin"] != 0 || s.Faults["ours"] != 0 || s.Open != 0 {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func TestSilentUploadIsTheClientsFault(t *testing.T) {
	inWorld(t, http.HandlerFunc(echo), func(t *testing.T, w *world) {
		c, err := w.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: chat.landfall.test\r\nContent-Length: 10\r\n\r\nhalf")
		start := time.Now()
		b, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(b), "HTTP/1.1 408 ") || time.Since(start) != uploadPatience {
			t.Errorf("after %v: %q", time.Since(start), b)
		}
		if s := w.Stats(); s.Faults["client"] != 1 || s.Faults["origin"] != 0 {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func TestSecondOriginAnswersWhenTheFirstIsDown(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.hop.Targets = append(home[:1:1], landfall.Target{Node: "fra2", Service: landfall.MeshChat})
		w.SetTargets(w.hop.Targets)
		w.mesh.serve(t, "fra2", http.HandlerFunc(echo))
		for _, method := range []string{"GET", "POST"} {
			if res, text := w.do(method, strings.Repeat("b", 100_000)); res.StatusCode != 200 || !strings.HasSuffix(text, strings.Repeat("b", 100_000)) {
				t.Errorf("%s: %s, %d bytes", method, res.Status, len(text))
			}
		}
		time.Sleep(time.Minute)
		before := w.Stats().Retries
		start := time.Now()
		w.do("GET", "")
		if s := w.Stats(); s.Retries != before || time.Since(start) != rtt {
			t.Errorf("an origin known to be down was asked first: %d retries, %v", s.Retries-before, time.Since(start))
		}
	})
}

func TestRequestsCutByAStopAreOurFault(t *testing.T) {
	ctx, cut := context.WithCancelCause(t.Context())
	cut(ErrStopping)
	if f := judge(ctx, ctx.Err(), nil, Mesh, ""); f.fault != Ours || f.status != 503 {
		t.Errorf("before the answer: %+v", f)
	}
	if f := judgeBroken(ctx, ctx.Err(), Mesh); f.fault != Ours {
		t.Errorf("in its middle: %+v", f)
	}
}

func TestLostPathIsTheMeshsFault(t *testing.T) {
	lost := &net.OpError{Op: "read", Err: &net.DNSError{IsTimeout: true}}
	if f := judgeBroken(t.Context(), lost, Mesh); f.fault != Mesh {
		t.Errorf("%+v", f)
	}
	if f := judgeBroken(t.Context(), io.ErrUnexpectedEOF, Mesh); f.fault != Origin {
		t.Errorf("%+v", f)
	}
}

func TestLossesBeforeTheAnswer(t *testing.T) {
	for _, c := range []struct {
		err    error
		fault  Fault
		status int
	}{
		{&net.OpError{Op: "read", Err: syscall.EHOSTUNREACH}, Mesh, 502},
		{&net.OpError{Op: "read", Err: syscall.ETIMEDOUT}, Mesh, 502},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, Origin, 502},
		{context.DeadlineExceeded, Origin, 504},
		{&dialError{"chat at fra1", syscall.ECONNREFUSED}, Mesh, 503},
		{&dialError{"chat at fra1", context.DeadlineExceeded}, Mesh, 504},
	} {
		if f := judge(t.Context(), c.err, nil, Mesh, ""); f.fault != c.fault || f.status != c.status || f.say == "" {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
}

// What ends the request's context may be the body: the blame waits for it.
func TestBlameWaitsForABodyThatIsBreakingOff(t *testing.T) {
	release := make(chan struct{})
	reading := make(chan struct{})
	r := httptest.NewRequest("POST", "/", nil)
	r.Body = brokenBody{reading, release}
	u := newUpload(httptest.NewRecorder(), r, func() {})
	go u.Read(nil)
	<-reading
	ctx, end := context.WithCancel(t.Context())
	end()
	time.AfterFunc(10*time.Millisecond, func() { close(release) })
	if f := judge(ctx, ctx.Err(), u, Mesh, ""); f.fault != Client || f.status != 400 {
		t.Errorf("%+v", f)
	}
}

// brokenBody says that it is being read, and breaks off when released.
type brokenBody struct{ reading, release chan struct{} }

func (b brokenBody) Read([]byte) (int, error) {
	close(b.reading)
	<-b.release
	return 0, io.ErrUnexpectedEOF
}

func (brokenBody) Close() error { return nil }
