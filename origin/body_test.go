package origin_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBodiesMustComeInTime sends bodies a byte a second, and those that are in
// order at a slow pace.
func TestBodiesMustComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const form = "\r\nContent-Type: application/x-www-form-urlencoded"
		for _, test := range []struct{ name, request, header, body, want string }{
			{"sign-in", "POST /session", form + "\r\nContent-Length: 1000", "email=" + strings.Repeat("x", 994), "HTTP/1.1 408 "},
			{"chunked sign-in", "POST /session", form + "\r\nTransfer-Encoding: chunked", "3e8\r\nemail=" + strings.Repeat("x", 994), "HTTP/1.1 408 "},
			{"who is nobody", "POST /messages", "\r\nContent-Length: 1000", strings.Repeat("x", 1000), "HTTP/1.1 401 "},
			{"a body where none belongs", "GET /stream/flows", "\r\nContent-Length: 1000", strings.Repeat("x", 1000), "HTTP/1.1 401 "},
			{"slow, but there", "POST /messages?flow=landfall/one&access_token=" + w.token, "\r\nConnection: close\r\nContent-Length: 3", "a=3", "HTTP/1.1 400 "},
		} {
			c, err := w.host.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			go trickle(c, test.request+" HTTP/1.1\r\nHost: chat.test"+test.header+"\r\n\r\n", test.body)
			b, err := io.ReadAll(c)
			if took := time.Since(start); took > 30*time.Second || err != nil || !strings.HasPrefix(string(b), test.want) {
				t.Errorf("%s: after %v: %.100s, %v", test.name, took, b, err)
			}
			c.Close()
		}
	})
}

func trickle(c net.Conn, head, body string) {
	_, err := io.WriteString(c, head)
	for i := 0; err == nil && i < len(body); i++ {
		time.Sleep(time.Second)
		_, err = c.Write([]byte{body[i]})
	}
}
