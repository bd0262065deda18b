package mapsync

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// ask asks a handler, and says how long the answer took.
func ask(t *testing.T, h http.Handler, method, target string, header ...string) (*http.Response, string, time.Duration) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, start := httptest.NewRecorder(), time.Now()
	h.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	return w.Result(), string(b), time.Since(start)
}

func holding(t *testing.T, serial landfall.Serial) memory {
	t.Helper()
	s := newMemory()
	s.doc = signed(t, testMap(serial, 1), NewSigningKey())
	return s
}

func TestServerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := holding(t, 7)
		for _, c := range []struct {
			method, target string
			status         int
			took           time.Duration
		}{
			{"GET", "/map", 200, 0},
			{"GET", "/map?after=6", 200, 0},
			{"GET", "/map?after=7", 204, MaxWait},
			{"GET", "/map?after=7&wait=4", 204, 4 * time.Second},
			{"GET", "/map?after=7&wait=0.25", 204, 250 * ms},
			{"GET", "/map?after=7&wait=0", 204, 0},
			{"GET", "/map?after=9&wait=1e9", 204, MaxWait},
			{"GET", "/map?after=-1", 400, 0},
			{"GET", "/map?after=x", 400, 0},
			{"GET", "/map?after=99999999999999999999", 400, 0},
			{"GET", "/map?wait=-1", 400, 0},
			{"GET", "/map?wait=NaN", 400, 0},
			{"POST", "/map", 405, 0},
			{"GET", "/", 404, 0},
		} {
			resp, body, took := ask(t, NewServer(src), c.method, c.target)
			if resp.StatusCode != c.status || took != c.took {
				t.Errorf("%s %s: %s after %v, want %d after %v", c.method, c.target, resp.Status, took, c.status, c.took)
			}
			if c.status == 200 && (body != string(src.doc.Bytes) || resp.Header.Get("ETag") != src.doc.tag()) {
				t.Errorf("%s: %d bytes, ETag %s", c.target, len(body), resp.Header.Get("ETag"))
			}
		}
	})
}

func TestServerKnowsWhatTheAskerHas(t *testing.T) {
	src := holding(t, 7)
	resp, body, _ := ask(t, NewServer(src), "GET", "/map", "If-None-Match", src.doc.tag())
	if resp.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("%s, %d bytes", resp.Status, len(body))
	}
}

func TestServerAnswersTheMomentThereIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := holding(t, 7)
		s := NewServer(src)
		go func() {
			time.Sleep(1234 * ms)
			if st := s.Stats(); st.Waiting != 1 {
				t.Errorf("stats %+v", st)
			}
			src.CompareAndSwap(t.Context(), 7, signed(t, testMap(8, 1), NewSigningKey()))
		}()
		resp, _, took := ask(t, s, "GET", "/map?after=7")
		if resp.StatusCode != 200 || took != 1234*ms {
			t.Errorf("%s after %v", resp.Status, took)
		}
		if st := s.Stats(); st != (ServerStats{Requests: 1, Answers: 1}) {
			t.Errorf("stats %+v", st)
		}
	})
}

type broken struct{}

func (broken) Watch(context.Context, landfall.Serial) (Signed, error) {
	return Signed{}, errors.New("disk on fire at /secret/path")
}

func TestServerKeepsItsTroublesToItself(t *testing.T) {
	resp, body, _ := ask(t, NewServer(broken{}), "GET", "/map")
	if resp.StatusCode != 503 || strings.Contains(body, "secret") {
		t.Errorf("%s: %s", resp.Status, body)
	}
}

// Whoever waits is told when the node stops.
func TestServerAnswersThoseWhoWaitWhenItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		w := httptest.NewRecorder()
		start := time.Now()
		NewServer(holding(t, 7)).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/map?after=7", nil))
		if w.Code != 503 || time.Since(start) != time.Second {
			t.Errorf("answered %d after %v", w.Code, time.Since(start))
		}
	})
}
