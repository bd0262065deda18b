package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// examples are the applications of the documentation.
const examples = "../../docs/examples"

// TestExampleApplicationsWorkThroughAnEdge loads what an operator is told to
// try first: a page, an upload, a WebSocket and server-sent events.
func TestExampleApplicationsWorkThroughAnEdge(t *testing.T) {
	if testing.Short() {
		t.Skip("installs and builds the examples")
	}
	for name, made := range map[string]func(*testing.T) *exec.Cmd{"node": nodeExample, "go": goExample("go")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstream := started(t, made(t), "listening on ")
			v := throughEdge(t, upstream)
			t.Run("page", v.page)
			t.Run("upload", v.upload)
			t.Run("websocket", v.websocket)
			t.Run("events", v.events)
		})
	}
}

// nodeExample installs the Node application into a copy.
func nodeExample(t *testing.T) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(examples+"/node")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	cmd := exec.Command("node", "server.js")
	cmd.Dir = dir
	return cmd
}

func goExample(name string) func(*testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		program := filepath.Join(t.TempDir(), "example")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
		build.Dir = filepath.Join(examples, name)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return exec.Command(program)
	}
}

// started runs a program until the test ends, and returns the word that
// follows a phrase in what it prints.
func started(t *testing.T, cmd *exec.Cmd, phrase string) string {
	t.Helper()
	cmd.Env = append(os.Environ(), "PORT=0", "GORACE=atexit_sleep_ms=20")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	said, err := lines.ReadString('\n')
	drained := make(chan struct{})
	go func() { io.Copy(io.Discard, lines); close(drained) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		<-drained                               // for Wait closes what is read from
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", cmd, err, errs.Bytes())
		}
	})
	_, rest, found := strings.Cut(said, phrase)
	if !found {
		t.Fatalf("%s says %q (%v), want %q", cmd, said, err, phrase)
	}
	return strings.Fields(rest)[0]
}

// visitor is a client of an application behind an edge.
type visitor struct {
	edge   string
	client *http.Client
	dialer *websocket.Dialer
}

const exampleHost = "app.edge.example.com"

// throughEdge starts `landfall edge serve` before an upstream.
func throughEdge(t *testing.T, upstream string) *visitor {
	t.Helper()
	cert, key, trust := certificate(t, exampleHost)
	v := &visitor{edge: started(t, exec.Command("landfall", "edge", "serve", "--listen", "127.0.0.1:0",
		"--cert", cert, "--key", key, "--upstream", upstream), "serving https on ")}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, v.edge)
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: trust, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	v.client = &http.Client{Transport: transport, Timeout: time.Minute}
	v.dialer = &websocket.Dialer{NetDialContext: dial, TLSClientConfig: trust.Clone(), HandshakeTimeout: time.Minute}
	return v
}

func (v *visitor) page(t *testing.T) {
	for path, want := range map[string]string{"/": "An application behind Landfall", "/health": "ok\n"} {
		resp, err := v.client.Get("https://" + exampleHost + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %s, %v: %.100s", path, resp.Proto, resp.Status, err, body)
		}
	}
}

// who is what the examples know of their visitor.
type who struct{ Address, Region, Request string }

func (v *visitor) upload(t *testing.T) {
	const size = 20 << 20
	hash := sha256.New()
	body := io.TeeReader(io.LimitReader(rand.Reader, size), hash)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+exampleHost+"/upload", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "203.0.113.9") // a lie, which no application may hear
	resp, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		Size   int64
		SHA256 string
		who
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Size != size || got.SHA256 != hex.EncodeToString(hash.Sum(nil)) {
		t.Errorf("%+v is not what was sent", got)
	}
	if got.Address != "127.0.0.1" || got.Request == "" || got.Request != resp.Header.Get("X-Request-Id") {
		t.Errorf("visitor %+v, request %q", got.who, resp.Header.Get("X-Request-Id"))
	}
}

func (v *visitor) websocket(t *testing.T) {
	head := http.Header{"Origin": {"https://" + exampleHost}}
	c, _, err := v.dialer.DialContext(t.Context(), "wss://"+exampleHost+"/echo", head)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var me who
	if err := c.ReadJSON(&me); err != nil || me.Address != "127.0.0.1" {
		t.Errorf("visitor %+v, %v", me, err)
	}
	for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		if err := c.WriteMessage(kind, []byte("ahoy")); err != nil {
			t.Fatal(err)
		}
		if got, said, err := c.ReadMessage(); err != nil || got != kind || string(said) != "ahoy" {
			t.Errorf("message of kind %d comes back as %d %q, %v", kind, got, said, err)
		}
	}
	head.Set("Origin", "https://elsewhere.example")
	if _, resp, err := v.dialer.DialContext(t.Context(), "wss://"+exampleHost+"/echo", head); err == nil || resp == nil || resp.StatusCode/100 != 4 {
		t.Errorf("a page of another host opens a WebSocket: %v", err)
	}
}

// events reads two ticks of the clock: they come while the answer is open.
func (v *visitor) events(t *testing.T) {
	resp, err := v.client.Get("https://" + exampleHost + "/clock")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	var last time.Time
	for range 2 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, strings.TrimSpace(strings.TrimPrefix(line, "data: ")))
		if err != nil || !now.After(last) {
			t.Errorf("event %q after %v: %v", line, last, err)
		}
		last = now
		if blank, err := lines.ReadString('\n'); blank != "\n" {
			t.Errorf("%q, %v after an event", blank, err)
		}
	}
}

// TestExampleOfTCPKnowsItsClient gives it what an edge's tunnel writes.
func TestExampleOfTCPKnowsItsClient(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the example")
	}
	at := strings.TrimPrefix(started(t, goExample("tcp")(t), "listening on "), "tcp://")
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	for _, test := range []struct{ header, want string }{
		{signature + "\x21\x11\x00\x0c" + "\xcb\x00\x71\x07\xc0\x00\x02\x01\x30\x39\x0f\xa0", "hello 203.0.113.7:12345\nahoy\n"},
		{signature + "\x21\x21\x00\x24" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07" +
			strings.Repeat("\x00", 16) + "\x30\x39\x0f\xa0", "hello [2001:db8::7]:12345\nahoy\n"},
		{"GET / HTTP/1.1\r\nHost: none\r\n\r\n", ""},
	} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "%sahoy\n", test.header); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		// A connection that is refused with bytes unread ends in a reset.
		if got, err := io.ReadAll(c); string(got) != test.want || test.want != "" && err != nil {
			t.Errorf("the example says %q, %v, want %q", got, err, test.want)
		}
	}
}
