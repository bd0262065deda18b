package edge

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"landfall"
)

func TestUnknownServerNameGetsTheAlert(t *testing.T) {
	s := newStage(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, name := range []string{"other.test", "landfall.test", "x.chat.landfall.test", "", "127.0.0.1"} {
			for _, protocols := range [][]string{nil, {"h2", "http/1.1"}, {"acme-tls/1"}} {
				c := s.tls(name, protocols...)
				c.MinVersion, c.MaxVersion = version, version
				c.InsecureSkipVerify = true
				conn, err := tls.Dial("tcp", s.address, c)
				if err == nil {
					conn.Close()
				}
				op, ok := errors.AsType[*net.OpError](err)
				if !ok || op.Op != "remote error" || op.Err.Error() != "tls: unrecognized name" {
					t.Errorf("%s, name %q: %v, want the alert unrecognized_name", tls.VersionName(version), name, err)
				}
			}
		}
	}
	if n := s.Stats().Refused; n != 30 {
		t.Errorf("%d refused, want 30", n)
	}
}

// A session of one host must not open the door to a host that is not served.
func TestTicketDoesNotOpenAnUnknownHost(t *testing.T) {
	s := newStage(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := &oneSession{}
		c := s.tls("chat.landfall.test")
		c.MinVersion, c.MaxVersion, c.ClientSessionCache = version, version, cache
		for i := range 2 {
			conn, err := tls.Dial("tcp", s.address, c)
			if err != nil {
				t.Fatal(err)
			}
			if conn.ConnectionState().DidResume != (i == 1) {
				t.Errorf("%s, connection %d resumed: %v", tls.VersionName(version), i, i == 0)
			}
			// Tickets of TLS 1.3 come with the first bytes of the answer.
			io.WriteString(conn, "GET "+HealthPath+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			io.Copy(io.Discard, conn)
			conn.Close()
		}
		c = c.Clone()
		c.ServerName, c.InsecureSkipVerify = "other.test", true
		if conn, err := tls.Dial("tcp", s.address, c); err == nil {
			t.Errorf("%s: resumed %v for a host that is not served", tls.VersionName(version), conn.ConnectionState().DidResume)
			conn.Close()
		}
	}
	if h := s.Stats().Handshakes; h["full"] != 2 || h["resumed"] != 2 {
		t.Errorf("handshakes %v", h)
	}
}

// oneSession offers the last session to every host.
type oneSession struct{ last *tls.ClientSessionState }

func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) { return o.last, o.last != nil }
func (o *oneSession) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.last = s
	}
}

func TestHandshakeIsHybridAndNegotiatesHTTP2(t *testing.T) {
	s := newStage(t, nil)
	conn, err := tls.Dial("tcp", s.address, s.tls("chat.landfall.test", "h2", "http/1.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if st := conn.ConnectionState(); st.CurveID != tls.X25519MLKEM768 || st.NegotiatedProtocol != "h2" {
		t.Errorf("curve %v, protocol %q", st.CurveID, st.NegotiatedProtocol)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := newStage(t, nil)
	c := s.tls("chat.landfall.test")
	c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", s.address, c); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

func TestRequestsGoByHost(t *testing.T) {
	s := newStage(t, nil)
	for _, c := range []struct {
		sni, host string
		status    int
	}{
		{"chat.landfall.test", "chat.landfall.test", 200},
		{"chat.landfall.test", "Chat.Landfall.Test:8443", 200},
		{"chat.landfall.test", "shop.landfall.test", 200}, // one certificate for both: RFC 9113, 9.1.1
		{"chat.landfall.test", "lone.landfall.test", 421},
		{"lone.landfall.test", "chat.landfall.test", 421},
		{"chat.landfall.test", "other.test", 421},
		{"chat.landfall.test", "198.51.100.1", 421},
		{"chat.landfall.test", "chat.landfall.test:80:80", 421},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s on %s, h2 %v", c.host, c.sni, h2), func(t *testing.T) {
				req, err := http.NewRequestWithContext(t.Context(), "GET", "https://chat.landfall.test/p?q", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Host = c.host
				res, err := s.client(c.sni, h2).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				b, _ := io.ReadAll(res.Body)
				if want := map[bool]int{false: 1, true: 2}[h2]; res.StatusCode != c.status || res.ProtoMajor != want {
					t.Errorf("%s %d, want %d", res.Proto, res.StatusCode, c.status)
				}
				if c.status == 200 && string(b) != c.host+"/p?q" {
					t.Errorf("origin saw %q", b)
				}
				if res.Header.Get("X-Landfall-Edge") != "nyc1" {
					t.Errorf("header %v", res.Header)
				}
			})
		}
	}
	if n := s.Stats().Misdirected; n != 10 {
		t.Errorf("%d misdirected, want 10", n)
	}
}

// Raw requests, as no well-behaved client sends them.
func TestUnusualRequests(t *testing.T) {
	s := newStage(t, nil)
	for _, c := range []struct{ request, want string }{
		{"GET https://chat.landfall.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "200"},
		{"GET https://chat.landfall.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n", "200"}, // RFC 9112, 3.2.2: Host is ignored
		{"GET https://other.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "421"},
		{"GET http://chat.landfall.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "400"},
		{"GET https://u:p@chat.landfall.test/ HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "400"},
		{"GET mailto:x HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "400"},
		{"CONNECT chat.landfall.test:443 HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "405"},
		{"TRACE / HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "405"},
		{"OPTIONS * HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n", "200"},
		{"OPTIONS * HTTP/1.1\r\nHost: other.test\r\n\r\n", "421"},
		{"GET / HTTP/1.1\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: chat.landfall.test\r\nHost: other.test\r\n\r\n", "400"},
		{"GET / HTTP/1.0\r\n\r\n", "421"},
		{"POST / HTTP/1.1\r\nHost: chat.landfall.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		{"POST / HTTP/1.1\r\nHost: chat.landfall.test\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"},
		{"GET / HTTP/1.1\r\nHost: chat.landfall.test\r\nX : y\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: chat.landfall.test\r\nX: " + strings.Repeat("y", 2*maxHeaderBytes) + "\r\n\r\n", "431"},
	} {
		conn, err := tls.Dial("tcp", s.address, s.tls("chat.landfall.test", "http/1.1"))
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, c.request)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if _, status, _ := strings.Cut(line, " "); !strings.HasPrefix(status, c.want) {
			t.Errorf("%.80q: %q, %v, want %s", c.request, line, err, c.want)
		}
		conn.Close()
	}
}

func TestEdgeWithoutAMapRefusesEverybody(t *testing.T) {
	s := newStage(t, nil)
	s.SetMap(&landfall.Map{})
	if conn, err := tls.Dial("tcp", s.address, s.tls("chat.landfall.test")); err == nil {
		conn.Close()
		t.Error("handshake succeeded")
	}
}

func TestOriginHearsWhereTheClientIs(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		fmt.Fprintln(w, h.Get("X-Landfall-Region"), h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Proto"))
	}))
	if _, got := get(t, s.client("chat.landfall.test", true), "chat.landfall.test", "/"); got != "continent=NA, country=US 127.0.0.1 https\n" {
		t.Errorf("origin heard %q", got)
	}
}
