package edge

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/edge/internal/ocean"
)

// redirecting is a Redirect in a bubble, of a map whose HTTPS is on a port.
func redirecting(t *testing.T, port uint16, f func(*testing.T, *Redirect, *ocean.Listener)) {
	synctest.Test(t, func(t *testing.T) {
		r, err := NewRedirect(RedirectConfig{Self: "nyc1"})
		if err != nil {
			t.Fatal(err)
		}
		m := network(landfall.Active)
		m.Ports.HTTPS = port
		m.Services = append(m.Services,
			landfall.Service{Host: "app.example.net", External: true, Upstream: "http://127.0.0.1:3000"},
			landfall.Service{Host: "db.landfall.test", Kind: landfall.TCP, Upstream: "tcp://127.0.0.1:1"})
		r.SetMap(m)
		l := ocean.Listen()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := r.Run(ctx, l); err != nil {
				t.Error(err)
			}
		})
		f(t, r, l)
		cancel()
		running.Wait()
		if n := r.Stats().Connections; n != 0 {
			t.Errorf("%d connections are left", n)
		}
		time.Sleep(time.Second) // what is under way on the ocean arrives
	})
}

func TestRedirectKeepsHostPathAndQuery(t *testing.T) {
	for _, port := range []uint16{0, 8443} {
		redirecting(t, port, func(t *testing.T, r *Redirect, l *ocean.Listener) {
			for _, c := range []struct{ request, status, location string }{
				{"GET / HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "308", "https://chat.landfall.test/"},
				{"POST /a%2Fb;c?d=e&f=%zz HTTP/1.1\r\nHost: Chat.Landfall.Test.:8080\r\nContent-Length: 3\r\n\r\nabc", "308", "https://chat.landfall.test/a%2Fb;c?d=e&f=%zz"},
				{"GET " + HealthPath + " HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "308", "https://chat.landfall.test" + HealthPath},
				{"GET /x HTTP/1.1\r\nHost: app.example.net\r\n\r\n", "308", "https://app.example.net/x"},
				{"GET //evil.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "308", "https://chat.landfall.test//evil.test/"},
				{"GET http://chat.landfall.test HTTP/1.1\r\nHost: evil.test\r\n\r\n", "308", "https://chat.landfall.test/"},
				{"GET http://chat.landfall.test?q HTTP/1.1\r\nHost: evil.test\r\n\r\n", "308", "https://chat.landfall.test/?q"},
				{"GET http://evil.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "421", ""},
				{"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", "421", ""},
				{"GET / HTTP/1.1\r\nHost: db.landfall.test\r\n\r\n", "421", ""}, // kind tcp
				{"GET / HTTP/1.0\r\n\r\n", "421", ""},
				{"GET https://chat.landfall.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "400", ""},
				{"OPTIONS * HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "400", ""},
				{"GET http://u@chat.landfall.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "400", ""},
				{"GET /\xc3\xa9 HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "400", ""},
				{"CONNECT chat.landfall.test:443 HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "405", ""},
				{"TRACE / HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "405", ""},
			} {
				conn, err := ocean.Dial(t.Context(), l, near)
				if err != nil {
					t.Fatal(err)
				}
				go io.WriteString(conn, c.request)
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("%q: %v", c.request, err)
				}
				want := c.location
				if port != 0 {
					want = strings.Replace(want, ".test/", ".test:8443/", 1)
					want = strings.Replace(want, ".net/", ".net:8443/", 1)
				}
				if got := res.Header.Get("Location"); !strings.HasPrefix(res.Status, c.status) || got != want || !res.Close {
					t.Errorf("%q: %s to %q, closed %v; want %s to %q", c.request, res.Status, got, res.Close, c.status, want)
				}
				conn.Close()
			}
			if s := r.Stats(); s.Sent != 7 || s.Misdirected != 4 || s.Refused != 6 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestSlowClientsOfPlainHTTPAreLetGo(t *testing.T) {
	redirecting(t, 0, func(t *testing.T, r *Redirect, l *ocean.Listener) {
		for _, said := range []string{"", "GET / HTTP/1.1\r\nHost: chat.landfall.test\r\n", "POST / HTTP/1.1\r\nHost: chat.landfall.test\r\nContent-Length: 9\r\n\r\n"} {
			c, err := ocean.Dial(t.Context(), l, near)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go io.WriteString(c, said)
		}
		time.Sleep(redirectTimeout + time.Second)
		if n := r.Stats().Connections; n != 0 {
			t.Errorf("%d connections still open", n)
		}
	})
}

func TestOneAddressLeavesRoomForPlainHTTP(t *testing.T) {
	redirecting(t, 0, func(t *testing.T, r *Redirect, l *ocean.Listener) {
		r.guests.limit = 10
		var all []net.Conn
		for range 20 {
			c, err := ocean.Dial(t.Context(), l, near)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		time.Sleep(time.Second)
		if s := r.Stats(); s.Connections > 5 {
			t.Errorf("%+v", s)
		}
		for _, c := range all {
			c.Close()
		}
		time.Sleep(time.Second)
	})
}
