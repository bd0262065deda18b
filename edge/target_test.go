package edge

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What HTTP/2 would carry, and a request line would not, is refused by the
// edge and never reaches an origin.
func TestTargetsThatAreNone(t *testing.T) {
	const host = "chat.landfall.test"
	inBubble(t, ok, func(t *testing.T, b *bubble) {
		f := b.framer(t)
		for _, c := range []struct{ name, method, scheme, path, status string }{
			{"plain", "GET", "https", "/a/b;c=1?d=e&f", "200"},
			{"what browsers send", "GET", "https", "/a[0]|^?filter={x:[1]}&y=`\\", "200"},
			{"invalid escapes are the origin's", "GET", "https", "/?c=%zz", "200"},
			{"own method", "PURGE", "https", "/", "200"},
			{"space in the query", "GET", "https", "/?a HTTP/1.1 b", "400"},
			{"tab in the query", "GET", "https", "/?a\tb", ""}, // reset by net/http
			{"quote in the query", "GET", "https", `/?a"b`, "400"},
			{"fragment", "GET", "https", "/?a#b", "400"},
			{"octets above ASCII", "GET", "https", "/?\xc3\xa9", "400"},
			{"backslash in the path", "GET", "https", `/a\b`, "400"},
			{"space in the method", "GET /x", "https", "/", "400"},
			{"comma in the method", "GET,POST", "https", "/", "400"},
			{"scheme", "GET", "ftp", "/", ""},
		} {
			f.ask(":method", c.method, ":scheme", c.scheme, ":authority", host, ":path", c.path)
			if a := <-f.answers; a.status != c.status {
				t.Errorf("%s: %+v, want %s", c.name, a, c.status)
			}
		}
		if s := b.Stats(); s.Requests != 4 || s.Faults["origin"] != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// RFC 9112, 6.1: after a request with both lengths the connection is closed.
// net/http does not show the second, so every body in chunks ends its
// connection.
func TestBodiesInChunksEndTheirConnection(t *testing.T) {
	for _, c := range []struct {
		fields, body string
		closed       bool
	}{
		{"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", true},
		{"Transfer-Encoding: chunked\r\n", "0\r\n\r\n", true},
		{"Content-Length: 5\r\n", "12345", false},
	} {
		for _, host := range []string{"chat.landfall.test", "unknown.landfall.test"} {
			inBubble(t, ok, func(t *testing.T, b *bubble) {
				raw, err := b.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				conn := tls.Client(raw, &tls.Config{RootCAs: b.ca.pool, ServerName: "chat.landfall.test"})
				io.WriteString(conn, "POST / HTTP/1.1\r\nHost: "+host+"\r\n"+c.fields+"\r\n"+c.body+
					"GET /smuggled HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n")
				answers := bufio.NewReader(conn)
				first, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, first.Body)
				conn.SetReadDeadline(time.Now().Add(time.Second))
				_, err = http.ReadResponse(answers, nil)
				if closed := err != nil; closed != c.closed || first.Close != c.closed {
					t.Errorf("%s %q: closed %v, said so %v", host, c.fields, closed, first.Close)
				}
			})
		}
	}
}

func FuzzWellFormed(f *testing.F) {
	for _, s := range []string{"/", "/a?b", "/?a HTTP/1.1 b", "https://chat.landfall.test/", "*", "/a#b", "/%zz", "/\x00"} {
		f.Add("GET", s)
	}
	f.Add("GET /x", "/")
	f.Fuzz(func(t *testing.T, method, target string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.RequestURI = method, target
		if !wellFormed(r, "https") {
			return
		}
		line := method + " " + target + " HTTP/1.1"
		if len(strings.Fields(line)) != 3 || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("admitted %q", line)
		}
	})
}
