package origin_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall/origin"
)

func newServer(t testing.TB, dir string) *origin.Server {
	t.Helper()
	s, err := origin.New(origin.Config{Dir: dir, Domain: "landfall.test", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// running is a server on a loopback port.
type running struct {
	*origin.Server
	origin.Credentials

	url string
}

func start(t *testing.T, s *origin.Server, h http.Handler) *running {
	t.Helper()
	c, _, err := s.EnsureFirst(t.Context(), origin.First{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: h}
	serving := make(chan error, 1)
	go func() { serving <- web.Serve(l) }()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: s, Credentials: c, url: "http://" + l.Addr().String()}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		web.Close()
		<-serving
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func TestFirstStartMakesCredentialsOnce(t *testing.T) {
	dir := t.TempDir()
	s := newServer(t, dir)
	c, created, err := s.EnsureFirst(t.Context(), origin.First{Organization: "Acme Inc.", Flows: []string{"Main", "Off Topic"}, Name: "Ada"})
	if err != nil || !created {
		t.Fatalf("EnsureFirst = %v, %v", created, err)
	}
	if c.Email != "admin@landfall.test" || c.Organization != "acme-inc" || strings.Join(c.Flows, " ") != "main off-topic" || len(c.Token) != 32 || len(c.Password) < 20 {
		t.Errorf("credentials %+v", c)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), c.Token) || strings.Contains(string(b), c.Password) {
			t.Errorf("%s has a secret in it, or %v", f, err)
		}
	}
	s = newServer(t, dir)
	defer s.Close()
	if c, created, err := s.EnsureFirst(t.Context(), origin.First{}); err != nil || created || c.Token != "" {
		t.Errorf("second start: %+v, %v, %v", c, created, err)
	}
	bob, err := s.AddUser(t.Context(), "acme-inc", origin.Person{Email: "Bob.B@acme.test"})
	if err != nil || bob.Email != "bob.b@acme.test" || len(bob.Flows) != 2 {
		t.Errorf("AddUser = %+v, %v", bob, err)
	}
	for _, p := range []origin.Person{{Email: "bob.b@acme.test"}, {Email: "no address"}, {Email: "x@y", Nick: "all"}, {Email: "x@y", Name: "\u202enimda"}} {
		if _, err := s.AddUser(t.Context(), "acme-inc", p); err == nil {
			t.Errorf("AddUser(%+v) succeeds", p)
		}
	}
}

func TestRoutesByHostAndPath(t *testing.T) {
	s := newServer(t, t.TempDir())
	r := start(t, s, s.Handler())
	for _, test := range []struct{ host, path, want string }{
		{"chat.test", "/", "text/html; charset=utf-8"},
		{"www.chat.test", "/", "text/html; charset=utf-8"},
		{"api.chat.test", "/", "application/json; charset=utf-8"},
		{"API.chat.test", "/flows", "application/json; charset=utf-8"},
		{"chat.test", "/v1/flows", "application/json; charset=utf-8"},
		{"stream.chat.test", "/flows?accept=text/event-stream", "text/event-stream; charset=utf-8"},
		{"chat.test", "/stream/flows?accept=text/event-stream", "text/event-stream; charset=utf-8"},
		{"chat.test", "/stream/flows/landfall/main?accept=text/event-stream", "text/event-stream; charset=utf-8"},
		{"chat.test", "/nothing", "application/json; charset=utf-8"},
		{"chat.test", "/ws", "text/plain; charset=utf-8"}, // no handshake
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = test.host
		req.SetBasicAuth(r.Token, "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); got != test.want {
			t.Errorf("%s%s: %s, want %s", test.host, test.path, got, test.want)
		}
	}
}

func TestStopEndsStreamsAndKeepsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stream, err := w.open(t.Context(), "GET", "/stream/flows")
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Body.Close()
		if status, b, err := w.ask(t.Context(), "POST", "/flows/landfall/one/messages?content=kept&uuid=u"); status != http.StatusCreated {
			t.Fatal(status, string(b), err)
		}
		for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
			if strings.Contains(lines.Text(), "kept") {
				break
			}
		}
		at := time.Now()
		go w.end()
		if _, err := io.ReadAll(stream.Body); err != nil {
			t.Errorf("stream did not end in order: %v", err)
		}
		w.end()
		if d := time.Since(at); d > 500*time.Millisecond {
			t.Errorf("stopping took %v", d)
		}
		again, err := w.open(t.Context(), "GET", "/user")
		if err != nil {
			t.Fatal(err)
		}
		again.Body.Close()
		if again.StatusCode != http.StatusServiceUnavailable || again.Header.Get("Retry-After") == "" {
			t.Errorf("after the stop: %s", again.Status)
		}
		if s := newServer(t, w.dir); s.Close() != nil {
			t.Error("the data cannot be opened again")
		}
	})
}

func TestOnlyEdgesSayHowTheClientCame(t *testing.T) {
	for want, handler := range map[string]func(*origin.Server) http.Handler{
		"https://chat.test/flows/": (*origin.Server).EdgeHandler,
		"http://127.0.0.1:":        (*origin.Server).Handler,
	} {
		s := newServer(t, t.TempDir())
		r := start(t, s, handler(s))
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/flows", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(r.Token, "")
		req.Header.Set("X-Forwarded-Proto", "https")
		req.Header.Set("X-Forwarded-Host", "chat.test")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(b), `"url":"`+want) {
			t.Errorf("want %s: %s, %v", want, b, err)
		}
	}
}

func TestFaultyDirectoryIsNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, origin.Database)
	if err := os.WriteFile(path, []byte(strings.Repeat("noise ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"damaged": dir, "not a directory": path, "no directory": ""} {
		if _, err := origin.New(origin.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), dir) || !strings.HasPrefix(err.Error(), "origin: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
