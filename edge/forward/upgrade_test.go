package forward

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Whatever is no WebSocket reaches the origin as a plain request, even if it
// would gladly switch protocols.
func TestOnlyWebSocketsBecomeTunnels(t *testing.T) {
	const (
		ws      = "Upgrade: websocket\r\n"
		version = "Sec-WebSocket-Version: 13\r\n"
		key     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	)
	willing := func(w http.ResponseWriter, r *http.Request) {
		up := r.Header.Get("Upgrade")
		if up == "" {
			fmt.Fprint(w, "plain", r.Header.Values("Http2-Settings"), r.Header.Get("Connection"))
			return
		}
		c, rw, _ := w.(http.Hijacker).Hijack()
		defer c.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", up)
		rw.Flush()
	}
	for _, c := range []struct {
		name, line, fields string
		status             int
	}{
		{"websocket", "GET / HTTP/1.1", ws + version + key, 101},
		{"in capitals", "GET / HTTP/1.1", "Upgrade: WebSocket\r\n" + version + key, 101},
		{"h2c", "GET / HTTP/1.1", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", 200},
		{"unknown", "GET / HTTP/1.1", "Upgrade: foo\r\n", 200},
		{"two", "GET / HTTP/1.1", "Upgrade: websocket, h2c\r\n" + version + key, 200},
		{"two lines", "GET / HTTP/1.1", ws + "Upgrade: h2c\r\n" + version + key, 200},
		{"post", "POST / HTTP/1.1", ws + version + key + "Content-Length: 0\r\n", 200},
		{"body", "GET / HTTP/1.1", ws + version + key + "Content-Length: 4\r\n", 200},
		{"http/1.0", "GET / HTTP/1.0", ws + version + key, 200},
		{"old version", "GET / HTTP/1.1", ws + "Sec-WebSocket-Version: 8\r\n" + key, 200},
		{"no version", "GET / HTTP/1.1", ws + key, 200},
		{"no key", "GET / HTTP/1.1", ws + version, 200},
		{"short key", "GET / HTTP/1.1", ws + version + "Sec-WebSocket-Key: eA==\r\n", 200},
		{"settings beside a websocket", "GET / HTTP/1.1", ws + version + key + "HTTP2-Settings: AAMAAABk\r\n", 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, http.HandlerFunc(willing), func(t *testing.T, w *world) {
				conn, err := w.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				body := ""
				if strings.Contains(c.fields, "Content-Length: 4") {
					body = "body"
				}
				io.WriteString(conn, c.line+"\r\nHost: chat.landfall.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"+c.fields+"\r\n"+body)
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != c.status {
					t.Errorf("%s, want %d", res.Status, c.status)
				}
				if c.status != http.StatusOK {
					return
				}
				if b, _ := io.ReadAll(res.Body); string(b) != "plain[]" {
					t.Errorf("origin saw %q", b)
				}
			})
		})
	}
}
