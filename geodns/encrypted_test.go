package geodns

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"

	"github.com/miekg/dns"
)

// selfSigned is a certificate for ns.test, and a pool that trusts it.
func selfSigned(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"ns.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// encrypted is a server of the test's world by TLS and HTTPS on pipes.
type encrypted struct {
	*Server
	tls, https *pipes
	client     *tls.Config
}

func encryptedTest(t *testing.T, test func(t *testing.T, e *encrypted)) {
	synctest.Test(t, func(t *testing.T) {
		cert, pool := selfSigned(t)
		e := &encrypted{tls: newPipes(), https: newPipes(), client: &tls.Config{RootCAs: pool, ServerName: "ns.test"}}
		var err error
		e.Server, err = New(Config{
			TLS: []net.Listener{e.tls}, HTTPS: []net.Listener{e.https}, Atlas: testAtlas(),
			Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		m := testMap()
		m.Secondaries = []landfall.Secondary{{Key: "key"}}
		e.SetMap(m)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		test(t, e)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := e.Stats().Conns; n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

// dial connects by TLS from an address in Singapore.
func (e *encrypted) dial(l *pipes, protocols ...string) *tls.Conn {
	return e.dialFrom("10.3.0.1", l, protocols...)
}

func (e *encrypted) dialFrom(addr string, l *pipes, protocols ...string) *tls.Conn {
	conf := e.client.Clone()
	conf.NextProtos = protocols
	return tls.Client(l.dialFrom(addr), conf)
}

// web is a client of HTTP by one version.
func (e *encrypted) web(t *testing.T, protocol string) *http.Client {
	return e.webFrom(t, protocol, "10.3.0.1")
}

func (e *encrypted) webFrom(t *testing.T, protocol, addr string) *http.Client {
	tr := &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			conn := e.dialFrom(addr, e.https, protocol)
			return conn, conn.Handshake()
		},
		ForceAttemptHTTP2: protocol == "h2",
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestAnswersByTLS(t *testing.T) {
	encryptedTest(t, func(t *testing.T, e *encrypted) {
		for _, protocols := range [][]string{{"dot"}, nil} {
			conn := e.dial(e.tls, protocols...)
			for range 3 {
				conn.Write(framed(t, question("chat.landfall.test", dns.TypeA)))
				if m := readFramed(t, conn); len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != "192.0.2.3" {
					t.Errorf("got %v", m)
				}
			}
			conn.Close()
		}
		if conn := e.dial(e.tls, "h2"); conn.Handshake() == nil {
			t.Error("DNS is spoken as HTTP (RFC 7301, 3.2)")
		}
		synctest.Wait()
		if s := e.Stats(); s.Queries["tls"] != 6 || s.Unshaken != 1 {
			t.Errorf("figures: %v, %d", s.Queries, s.Unshaken)
		}
	})
}

func TestWhoNeverShakesHandsIsLetGo(t *testing.T) {
	encryptedTest(t, func(t *testing.T, e *encrypted) {
		for _, said := range []string{"", "\x16\x03", "GET / HTTP/1.1\r\n\r\n"} {
			conn := e.tls.dial()
			began := time.Now()
			if said != "" {
				conn.Write([]byte(said))
			}
			io.Copy(io.Discard, conn)
			if took := time.Since(began); took > idle {
				t.Errorf("%q: after %v", said, took)
			}
		}
		if n := e.Stats().Unshaken; n != 3 {
			t.Errorf("%d counted", n)
		}
	})
}

func TestEncryptedAnswersArePadded(t *testing.T) {
	encryptedTest(t, func(t *testing.T, e *encrypted) {
		padded := question("chat.landfall.test", dns.TypeA).SetEdns0(1232, false)
		padded.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_PADDING{Padding: make([]byte, 60)}}
		req, _ := padded.Pack()
		plainly, _ := question("chat.landfall.test", dns.TypeA).SetEdns0(1232, false).Pack()
		client := e.tls.dial()
		client.Close()
		for via, want := range map[transport]bool{viaUDP: false, viaTCP: false, viaTLS: true, viaHTTPS: true} {
			out := e.respond(req, clientOf(client), via, nil)
			if got := len(out) == block; got != want {
				t.Errorf("%s: %d bytes", via, len(out))
			}
			m := new(dns.Msg)
			if err := m.Unpack(out); err != nil || len(m.Answer) != 1 || len(m.IsEdns0().Option) != map[bool]int{true: 1}[want] {
				t.Errorf("%s: %v, %v", via, m, err)
			}
			if out := e.respond(plainly, clientOf(client), via, nil); len(out) >= block {
				t.Errorf("%s: %d bytes for who does not pad (RFC 7830, 4)", via, len(out))
			}
		}
	})
}

func TestAnswersByHTTPS(t *testing.T) {
	encryptedTest(t, func(t *testing.T, e *encrypted) {
		req, _ := question("chat.landfall.test", dns.TypeA).Pack()
		get := "https://ns.test/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(req)
		for _, protocol := range []string{"h2", "http/1.1"} {
			client := e.web(t, protocol)
			for _, ask := range []func() (*http.Response, error){
				func() (*http.Response, error) { return client.Get(get) },
				func() (*http.Response, error) {
					return client.Post("https://ns.test/dns-query", dohType, bytes.NewReader(req))
				},
			} {
				resp, err := ask()
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				m := new(dns.Msg)
				if err := m.Unpack(body); err != nil || len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != "192.0.2.3" {
					t.Errorf("%s: %v, %v", protocol, m, err)
				}
				if h := resp.Header; h.Get("Content-Type") != dohType || h.Get("Cache-Control") != "private, max-age=20" || (resp.ProtoMajor == 2) != (protocol == "h2") {
					t.Errorf("%s: %s %v", protocol, resp.Proto, h)
				}
			}
		}
		if n := e.Stats().Queries["https"]; n != 4 {
			t.Errorf("%d queries counted", n)
		}
	})
}

func TestHTTPSKnowsWhatItIsNotFor(t *testing.T) {
	encryptedTest(t, func(t *testing.T, e *encrypted) {
		client := e.web(t, "http/1.1")
		zone, _ := new(dns.Msg).SetAxfr("landfall.test.").Pack()
		answer, _ := new(dns.Msg).SetReply(question("chat.landfall.test", dns.TypeA)).Pack()
		encode := base64.RawURLEncoding.EncodeToString
		for _, tt := range []struct {
			method, path, kind, body string
			status                   int
		}{
			{"GET", "/", "", "", 404},
			{"GET", "/dns-query", "", "", 400},
			{"GET", "/dns-query?dns=", "", "", 400},
			{"GET", "/dns-query?dns=a+b/", "", "", 400},
			{"GET", "/dns-query?dns=" + encode([]byte("short")), "", "", 400},
			{"GET", "/dns-query?dns=" + encode(answer), "", "", 400},
			{"GET", "/dns-query?dns=" + encode(zone), "", "", 200}, // and refused, by DNS
			{"GET", "/dns-query?dns=" + strings.Repeat("A", 30_000), "", "", 431},
			{"PUT", "/dns-query", dohType, "x", 405},
			{"POST", "/dns-query", "text/plain", "x", 415},
			{"POST", "/dns-query", dohType, "", 400},
			{"POST", "/dns-query", dohType, strings.Repeat("\xff", maxQuery), 400},
			{"POST", "/dns-query", dohType, strings.Repeat("\xff", maxQuery+1), 413},
			{"HEAD", "/dns-query", "", "", 400},
		} {
			r, _ := http.NewRequest(tt.method, "https://ns.test"+tt.path, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			resp, err := client.Do(r)
			if err != nil {
				t.Errorf("%s %.40s: %v", tt.method, tt.path, err)
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("%s %.40s %d bytes: %s, want %d", tt.method, tt.path, len(tt.body), resp.Status, tt.status)
			}
			if allow := resp.Header.Get("Allow"); (allow == "GET, HEAD, POST") != (tt.status == 405) {
				t.Errorf("%s: allowed are %q", tt.method, allow)
			}
			if tt.status == 200 {
				m := new(dns.Msg)
				if err := m.Unpack(body); err != nil || m.Rcode != dns.RcodeRefused || resp.Header.Get("Cache-Control") != "private, max-age=0" {
					t.Errorf("%v, %v, %v", m, err, resp.Header)
				}
			}
		}
	})
}

// half sends the header of a request and waits for what becomes of it.
func (e *encrypted) half(addr string, stop <-chan struct{}) (status int) {
	conn := e.dialFrom(addr, e.https, "http/1.1")
	defer conn.NetConn().Close()
	fmt.Fprintf(conn, "POST /dns-query HTTP/1.1\r\nHost: ns.test\r\nContent-Type: %s\r\nContent-Length: 40\r\n\r\n", dohType)
	heard := make(chan int, 1)
	go func() {
		defer close(heard)
		if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
			heard <- resp.StatusCode
		}
	}()
	select {
	case status = <-heard:
	case <-stop:
	}
	return status
}

// halfStream is half by a stream of HTTP/2.
func halfStream(client *http.Client, stop <-chan struct{}) (status int) {
	never, writer := io.Pipe()
	go func() {
		<-stop
		writer.CloseWithError(io.ErrUnexpectedEOF)
	}()
	r, _ := http.NewRequest("POST", "https://ns.test/dns-query", never)
	r.Header.Set("Content-Type", dohType)
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// Many requests whose queries do not come hold no more than their share, and
// keep nobody from asking.
func TestUnfinishedRequestsGiveWay(t *testing.T) {
	for _, protocol := range []string{"h2", "http/1.1"} {
		encryptedTest(t, func(t *testing.T, e *encrypted) {
			const over = dohStreams
			stop, cut := make(chan struct{}), make(chan int, 2*maxBodies)
			var waiting sync.WaitGroup
			for i := range (maxBodies + over) / dohStreams {
				addr := fmt.Sprintf("10.3.%d.1", i)
				client := e.webFrom(t, "h2", addr)
				for range dohStreams {
					waiting.Go(func() {
						var status int
						if protocol == "h2" {
							status = halfStream(client, stop)
						} else {
							status = e.half(addr, stop)
						}
						if status != 0 {
							cut <- status
						}
					})
				}
				synctest.Wait()
			}
			req, _ := question("chat.landfall.test", dns.TypeA).Pack()
			resp, err := e.web(t, protocol).Post("https://ns.test/dns-query", dohType, bytes.NewReader(req))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v, %v", protocol, resp, err)
			}
			resp.Body.Close()
			synctest.Wait()
			if n := len(cut); n != over+1 || <-cut != http.StatusRequestTimeout {
				t.Errorf("%s: %d gave way, want %d", protocol, n, over+1)
			}
			close(stop)
			waiting.Wait()
			synctest.Wait()
			if n := e.bodies.order.Len(); n != 0 {
				t.Errorf("%s: %d left", protocol, n)
			}
		})
	}
}

func TestSmallestTTL(t *testing.T) {
	s := newServer(t, nil)
	for name, want := range map[string]uint32{
		"chat.landfall.test": 20, "mail.landfall.test": 3600, "www.landfall.test": 20, "none.landfall.test": 20, "elsewhere.test": 0,
	} {
		req, _ := question(name, dns.TypeA).SetEdns0(1232, false).Pack()
		if got := smallestTTL(s.respond(req, clientOf(addressed{remote: &net.TCPAddr{IP: net.IPv4(10, 1, 0, 1)}}), viaHTTPS, nil)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestWebClientsHaveTheirShareOfConnections(t *testing.T) {
	encryptedTest(t, func(t *testing.T, e *encrypted) {
		var all []net.Conn
		for range maxShare + 10 {
			all = append(all, e.https.dialFrom("203.0.113.9"))
		}
		synctest.Wait()
		if s := e.Stats(); s.Conns != maxShare || s.Evicted != 10 {
			t.Errorf("%d connections, %d gave way", s.Conns, s.Evicted)
		}
		for _, conn := range all {
			conn.Close()
		}
		synctest.Wait()
		if n := e.Stats().Conns; n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

func TestHTTPSLeavesConnectionsForOthers(t *testing.T) {
	encryptedTest(t, func(t *testing.T, e *encrypted) {
		other := e.dial(e.tls, "dot")
		defer other.Close()
		if !asks(t, other) {
			t.Fatal("no answer by TLS")
		}
		var all []net.Conn
		for i := range maxWeb + 10 {
			all = append(all, e.https.dialFrom(fmt.Sprintf("203.0.113.%d", i%32)))
		}
		synctest.Wait()
		if s := e.Stats(); s.Conns != maxWeb+1 || s.Evicted != 10 || !asks(t, other) {
			t.Errorf("%d connections, %d gave way", s.Conns, s.Evicted)
		}
		for _, conn := range all {
			conn.Close()
		}
		synctest.Wait()
		if e.conns.web != 0 {
			t.Errorf("%d connections left", e.conns.web)
		}
	})
}

func TestListenersByTLSNeedACertificate(t *testing.T) {
	for _, c := range []Config{{TLS: []net.Listener{newPipes()}}, {HTTPS: []net.Listener{newPipes()}}} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%v", err)
		}
	}
}

// FuzzHTTPS gives requests whose parts strangers chose.
func FuzzHTTPS(f *testing.F) {
	req, _ := question("chat.landfall.test", dns.TypeA).Pack()
	f.Add("GET", "/dns-query?dns="+base64.RawURLEncoding.EncodeToString(req), "", []byte{})
	f.Add("POST", "/dns-query", dohType, req)
	f.Add("POST", "/dns-query", dohType+"; x=", []byte("x"))
	s := newServer(f, nil)
	held := &admitted{&tcpConn{}, s}
	f.Fuzz(func(t *testing.T, method, target, kind string, body []byte) {
		r, err := http.NewRequest(method, "https://ns.test"+target, bytes.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", kind)
		w := &recorder{header: http.Header{}}
		s.serveQuery(w, r.WithContext(context.WithValue(t.Context(), holder{}, held)))
		if w.Header().Get("Content-Type") == dohType {
			if err := new(dns.Msg).Unpack(w.body.Bytes()); err != nil || fmt.Sprint(w.body.Len()) != w.header.Get("Content-Length") {
				t.Fatalf("%x: %v", w.body.Bytes(), err)
			}
		} else if w.status < 400 {
			t.Fatalf("status %d for %s %s", w.status, method, target)
		}
	})
}

// recorder keeps what is written.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
