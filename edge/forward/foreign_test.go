package forward

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/edge/internal/ocean"
)

// behindUpstreams asks an Upstreams for a page of what answers a raw
// connection, and returns the answer and the log.
func behindUpstreams(t *testing.T, url string, app func(net.Conn)) (*httptest.ResponseRecorder, string) {
	t.Helper()
	l := ocean.Listen()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				app(c)
			})
		}
	})
	var log bytes.Buffer
	u, err := NewUpstreams(UpstreamsConfig{
		Self: "fra1", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return ocean.Dial(ctx, l, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	u.SetMap(&landfall.Map{Services: []landfall.Service{{Host: "shop.landfall.test", Upstream: url}}})
	w := httptest.NewRecorder()
	u.ServeHTTP(w, httptest.NewRequest("GET", "http://shop.landfall.test/", nil))
	u.carry.CloseIdleConnections()
	l.Close()
	serving.Wait()
	time.Sleep(time.Second)
	return w, log.String()
}

// hears reads a request, and then says something.
func hears(say string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			io.WriteString(c, say)
		}
		io.Copy(io.Discard, c)
	}
}

// speaks says something at once.
func speaks(say string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, say)
		io.Copy(io.Discard, c)
	}
}

// Whatever stands behind an upstream's URL, the client gets a clear answer
// soon and the operator a line with a cure.
func TestUpstreamThatSpeaksSomethingElse(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, c := range []struct {
		name, url string
		app       func(net.Conn)
		status    int
		within    time.Duration
		logged    string
	}{
		{"HTTP", "http://app:3000", hears(ok), 200, 0, ""},
		{"garbage without an end", "http://app:3000", hears("\x00\x01\x02\x03"), 502, 0, "where the application speaks HTTP"},
		{"garbage bit by bit", "http://app:3000", hears("HT"), 504, DefaultHeaderTimeout, "timeout"},
		{"a banner", "http://app:22", speaks("SSH-2.0-OpenSSH_9.2p1\r\n"), 502, 0, "SSH-2.0"},
		{"a banner after the request", "http://app:22", hears("220 mail ESMTP\r\n"), 502, 0, "220 mail"},
		{"a banner without an end", "http://app:3306", speaks("J\x00\x00\x00\x0a8.0"), 502, 0, ""},
		{"an alert of TLS", "http://app:443", hears("\x15\x03\x01\x00\x02\x02\x32"), 502, 0, "write https://"},
		{"nobody who answers", "http://app:3000", hears(""), 504, DefaultHeaderTimeout, "timeout"},
		{"who hangs up", "http://app:3000", func(net.Conn) {}, 502, 0, ""},
		{"HTTP where TLS should be", "https://app:3000", hears("HTTP/1.1 400 Bad Request\r\n\r\n"), 502, 0, "write http://"},
		{"nobody who shakes hands", "https://app:3000", hears(""), 502, dialTimeout, "speaks TLS on this port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w, logged := behindUpstreams(t, c.url, c.app)
				took := time.Since(began) - time.Second
				if w.Code != c.status || took > c.within+time.Millisecond {
					t.Errorf("%d after %v: %s", w.Code, took, w.Body)
				}
				if w.Code == 200 {
					return
				}
				if !strings.Contains(logged, c.logged) || !strings.Contains(logged, "upstream="+c.url) || !strings.Contains(logged, "service=shop.landfall.test") || !strings.Contains(logged, "fault=origin") {
					t.Errorf("logged: %s", logged)
				}
				if n := strings.Count(logged, "\n"); n != 1 {
					t.Errorf("%d lines in the log", n)
				}
				if !strings.Contains(w.Body.String(), "fault origin") {
					t.Errorf("said: %s", w.Body)
				}
			})
		})
	}
}

// Only a certificate that the system trusts will do.
func TestUpstreamsCertificateIsVerified(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	app.Config.ErrorLog = log.New(io.Discard, "", 0)
	app.StartTLS()
	defer app.Close()
	var said bytes.Buffer
	u, err := NewUpstreams(UpstreamsConfig{Self: "fra1", Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	u.SetMap(&landfall.Map{Services: []landfall.Service{{Host: "shop.landfall.test", Upstream: app.URL}}})
	w := httptest.NewRecorder()
	u.ServeHTTP(w, httptest.NewRequest("GET", "http://shop.landfall.test/", nil))
	if w.Code != 502 || !strings.Contains(said.String(), "an authority that this server trusts") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, &said)
	}
}
