package edge

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/edge/forward"

	"github.com/gorilla/websocket"
)

// newApp is an edge, a home with an Upstreams, and an application behind it,
// all on loopback: the way that an operator's own application is served.
func newApp(t *testing.T, app http.Handler) *stage {
	t.Helper()
	back := httptest.NewUnstartedServer(app)
	back.Config.ErrorLog = log.New(io.Discard, "", 0)
	back.Start()
	t.Cleanup(back.Close)
	u, err := forward.NewUpstreams(forward.UpstreamsConfig{Self: "fra1"})
	if err != nil {
		t.Fatal(err)
	}
	u.SetMap(&landfall.Map{Services: []landfall.Service{
		{Host: "shop.landfall.test", Upstream: back.URL},
		{Host: "app.example.net", External: true, Upstream: back.URL},
	}})
	s := newStage(t, u)
	m := network(landfall.Active)
	m.Services = append(m.Services, landfall.Service{Host: "app.example.net", External: true, Upstream: back.URL})
	s.SetMap(m)
	return s
}

const shop = "shop.landfall.test"

// Uploads and downloads larger than any buffer, both with a length and in
// chunks, both ways at once over one connection.
func TestLargeBodiesPassWhole(t *testing.T) {
	size := int64(100 << 20)
	if testing.Short() {
		size = 8 << 20
	}
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case "POST":
			sum := sha256.New()
			n, err := io.Copy(sum, r.Body)
			fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
		default:
			if r.URL.Query().Has("length") {
				w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			}
			io.CopyN(w, mrand.NewChaCha8([32]byte{1}), size)
		}
	}))
	sum := sha256.New()
	io.CopyN(sum, mrand.NewChaCha8([32]byte{1}), size)
	want := fmt.Sprintf("%x", sum.Sum(nil))
	for _, h2 := range []bool{false, true} {
		for _, chunks := range []bool{false, true} {
			c := s.client("chat.landfall.test", h2)
			req := request(t, shop)
			req.Method, req.Body, req.ContentLength = "POST", io.NopCloser(io.LimitReader(mrand.NewChaCha8([32]byte{1}), size)), size
			if chunks {
				req.ContentLength = -1
			}
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(res.Body); string(b) != fmt.Sprintf("%d %s <nil>", size, want) {
				t.Errorf("h2 %v, chunks %v: up came %s", h2, chunks, b)
			}
			res.Body.Close()
			req = request(t, shop)
			if !chunks {
				req.URL.RawQuery = "length"
			}
			if res, err = c.Do(req); err != nil {
				t.Fatal(err)
			}
			sum := sha256.New()
			if n, err := io.Copy(sum, res.Body); err != nil || fmt.Sprintf("%x", sum.Sum(nil)) != want || (res.ContentLength == size) != !chunks {
				t.Errorf("h2 %v, chunks %v: down came %d (length %d), %v", h2, chunks, n, res.ContentLength, err)
			}
			res.Body.Close()
		}
	}
}

// endless is a body without an end; it counts what was taken of it.
type endless struct{ taken chan int }

func (e endless) Read(b []byte) (int, error) {
	n, err := rand.Read(b)
	e.taken <- n
	return n, err
}

// An application that does not read holds the client back: nothing on the way
// keeps an upload.
func TestUploadIsHeldBack(t *testing.T) {
	release := make(chan struct{})
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
	}))
	for _, h2 := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		body := endless{make(chan int)}
		req := request(t, shop).WithContext(ctx)
		req.Method, req.Body, req.ContentLength = "POST", io.NopCloser(body), -1
		ended := make(chan struct{})
		c := s.client("chat.landfall.test", h2)
		go func() {
			defer close(ended)
			if res, err := c.Do(req); err == nil {
				res.Body.Close()
			}
		}()
		total, quiet := 0, time.NewTimer(time.Second)
		for open := true; open; {
			select {
			case n := <-body.taken:
				total += n
				quiet.Reset(500 * time.Millisecond)
			case <-quiet.C:
				open = false
			}
			if total > 64<<20 {
				t.Errorf("h2 %v: %d octets were taken of an upload that nobody reads", h2, total)
				break
			}
		}
		cancel()
		for open := true; open; {
			select {
			case <-body.taken:
			case <-ended:
				open = false
			}
		}
	}
	close(release)
}

// RFC 9110, 10.1.1: who asks first is told no before the body is sent.
func TestExpectationsAreTheApplicationsToMeet(t *testing.T) {
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	}))
	for _, c := range []struct {
		authorized bool
		want       []string
	}{{false, []string{"401"}}, {true, []string{"100", "200"}}} {
		// Somebody who waits for nothing does so each time, for a second; a busy
		// machine is slow once.
		fastest := time.Hour
		for range 3 {
			fastest = min(fastest, expect(t, s, c.authorized, c.want))
		}
		if fastest > 900*time.Millisecond {
			t.Errorf("authorized %v: %v: somebody waited for nothing", c.authorized, fastest)
		}
	}
}

// expect sends a request that asks before it sends its body, and returns how
// long the answers took.
func expect(t *testing.T, s *stage, authorized bool, want []string) time.Duration {
	t.Helper()
	conn, err := tls.Dial("tcp", s.address, s.tls(shop, "http/1.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "POST / HTTP/1.1\r\nHost: " + shop + "\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n"
	if authorized {
		head += "Authorization: Basic eA==\r\n"
	}
	began := time.Now()
	io.WriteString(conn, head+"\r\n")
	in := bufio.NewReader(conn)
	for _, status := range want {
		res, err := http.ReadResponse(in, nil)
		if err != nil || !strings.HasPrefix(res.Status, status) {
			t.Fatalf("authorized %v: %v, %v; want %s", authorized, res, err, status)
		}
		if status == "100" {
			io.WriteString(conn, strings.Repeat("x", 100_000))
		}
		b, _ := io.ReadAll(res.Body)
		if status == "200" && string(b) != "100000 <nil>" {
			t.Errorf("the application says %q", b)
		}
	}
	return time.Since(began)
}

// Each event when it happens, not when a buffer is full.
func TestEventsPassOneByOne(t *testing.T) {
	next := make(chan struct{})
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next // the client has seen it
		}
	}))
	for _, h2 := range []bool{false, true} {
		res, err := s.client("chat.landfall.test", h2).Do(request(t, shop))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		for i := range 3 {
			lines.Scan()
			if want := fmt.Sprintf("data: %d", i); lines.Text() != want {
				t.Errorf("h2 %v: %q, want %q", h2, lines.Text(), want)
			}
			lines.Scan()
			next <- struct{}{}
		}
		if lines.Scan() || lines.Err() != nil {
			t.Errorf("h2 %v: %q, %v after the end", h2, lines.Text(), lines.Err())
		}
		res.Body.Close()
	}
}

func TestWebSocketsPass(t *testing.T) {
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "https://"+shop }}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		c.WriteMessage(websocket.TextMessage, []byte(r.Header.Get("X-Forwarded-For")+" "+r.Header.Get("X-Forwarded-Proto")))
		for {
			kind, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	}))
	d := websocket.Dialer{TLSClientConfig: s.tls(shop), NetDialContext: s.client(shop, false).Transport.(*http.Transport).DialContext}
	c, res, err := d.Dial("wss://"+shop+"/", http.Header{"Origin": {"https://" + shop}})
	if err != nil {
		t.Fatal(err, res)
	}
	defer c.Close()
	if _, b, err := c.ReadMessage(); string(b) != "127.0.0.1 https" {
		t.Errorf("%q, %v", b, err)
	}
	large := []byte(strings.Repeat("landfall ", 100_000))
	for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		c.WriteMessage(kind, large)
		if got, b, err := c.ReadMessage(); err != nil || got != kind || string(b) != string(large) {
			t.Errorf("kind %d: %d octets of kind %d, %v", kind, len(b), got, err)
		}
	}
	c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, "bye"), time.Now().Add(time.Second))
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 4000) {
		t.Errorf("the end was %v", err)
	}
}

func TestHeadHintsAndTrailersPass(t *testing.T) {
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		if r.Method == "HEAD" {
			w.Header().Set("Content-Length", "12345")
			return
		}
		io.WriteString(w, "page")
		w.Header().Set("X-Sum", "abc")
		w.Header().Set(http.TrailerPrefix+"X-Late", "def")
	}))
	for _, h2 := range []bool{false, true} {
		c := s.client("chat.landfall.test", h2)
		req, hints := request(t, shop), 0
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == 103 && h.Get("Link") == "</style.css>; rel=preload" {
				hints++
			}
			return nil
		}}))
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if hints != 1 || string(b) != "page" || err != nil || res.Trailer.Get("X-Sum") != "abc" || res.Trailer.Get("X-Late") != "def" {
			t.Errorf("h2 %v: %d hints, %q, %v, trailers %v", h2, hints, b, err, res.Trailer)
		}
		req = request(t, shop)
		req.Method = "HEAD"
		if res, err = c.Do(req); err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); len(b) > 0 || res.ContentLength != 12345 || res.StatusCode != 200 {
			t.Errorf("h2 %v: HEAD: %s, %d octets, length %d", h2, res.Status, len(b), res.ContentLength)
		}
		res.Body.Close()
	}
}

// What docs/edge.md says that an application sees.
func TestApplicationSeesWhoAsksAndHow(t *testing.T) {
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Request-Id", "Via"} {
			fmt.Fprintf(w, "%s: %s\n", name, strings.Join(r.Header.Values(name), "|"))
		}
		fmt.Fprintln(w, r.Host, r.RequestURI)
	}))
	req := request(t, shop)
	req.Header = http.Header{"X-Forwarded-For": {"203.0.113.66"}, "Forwarded": {"for=203.0.113.66"}, "X-Request-Id": {"mine"}, "X-Forwarded-Proto": {"http"}}
	res, err := s.client("chat.landfall.test", true).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want := `X-Forwarded-For: 127.0.0.1
X-Forwarded-Host: shop.landfall.test
X-Forwarded-Proto: https
Forwarded: for=127.0.0.1;host=shop.landfall.test;proto=https;by=_nyc1
X-Request-Id: mine
Via: 2.0 nyc1, 1.1 fra1
shop.landfall.test /
`
	if b, _ := io.ReadAll(res.Body); string(b) != want || res.Header.Get("X-Request-Id") != "mine" {
		t.Errorf("the application saw\n%s", b)
	}
}

// A host outside the domain is a host like another.
func TestExternalHostIsServed(t *testing.T) {
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	const host = "app.example.net"
	s.cfg.Certificates.(wallet)[host] = s.ca.leaf(t, host)
	c := s.client(host, true)
	if res, body := get(t, c, host, "/"); res.StatusCode != 200 || body != host {
		t.Errorf("%s %q", res.Status, body)
	}
	if res, body := get(t, c, host, HealthPath); res.StatusCode != 200 || body != "ok nyc1 7\n" {
		t.Errorf("health: %s %q", res.Status, body)
	}
	if _, err := tls.Dial("tcp", s.address, s.tls("app.example.net.landfall.test")); err == nil {
		t.Error("its steered name was served")
	}
}

// An application that reads a little of an upload and answers is heard.
func TestEarlyAnswerIsHeard(t *testing.T) {
	s := newApp(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 1000)
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}))
	req := request(t, shop)
	req.Method, req.Body, req.ContentLength = "POST", io.NopCloser(io.LimitReader(mrand.NewChaCha8([32]byte{}), 50<<20)), 50<<20
	res, err := s.client("chat.landfall.test", true).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 413 {
		t.Error(res.Status)
	}
}
